// Listens to MLIR's remark engine and counts equal remarks.
#include "compiler/pipeline/FusionReport.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace bambac {

static std::string nameOf(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName().str();
  std::string text;
  llvm::raw_string_ostream(text) << location;
  return text;
}

class FusionReport::Streamer : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit Streamer(FusionReport &report) : report(report) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    Location location = remark.getLocation();
    std::string text;
    for (const remark::detail::Remark::Arg &part : remark.getArgs())
      text += part.val;
    Places &places = report.lines[text];
    if (places.count++ == 0)
      places.first = nameOf(location);
    // The remark's own string may not live as long as the report.
    places.entries.insert(StringAttr::get(location->getContext(), remark.getFunction()).getValue());
  }

private:
  FusionReport &report;
};

void FusionReport::listen(MLIRContext &context) {
  remark::RemarkCategories categories;
  categories.passed = categories.missed = "fusion";
  [[maybe_unused]] LogicalResult enabled = remark::enableOptimizationRemarks(
      context, std::make_unique<Streamer>(*this), std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
  assert(succeeded(enabled) && "the category is a valid expression");
}

void FusionReport::print(raw_ostream &stream) {
  for (const auto &[text, places] : lines) {
    stream << "fusion: " << text << "; ";
    if (places.count > 1)
      stream << places.count << " places, first ";
    stream << places.first << " of " << llvm::join(places.entries, ", ") << '\n';
  }
  lines.clear();
}

} // namespace bambac
