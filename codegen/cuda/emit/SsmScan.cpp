// The state space recurrence over many tokens.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"
#include "codegen/cuda/emit/Ssm.h"
#include "geometry/ssm.h"

namespace bambac::codegen {

/// A piece alone is walked by simpler code.
static std::string emitPieces(KernelWriter &writer, int64_t pieces) {
  if (pieces > 1)
    return writer.sizeParam("pieces", pieces);
  writer.constant("pieces", pieces);
  return "Shape::kPieces";
}

FailureOr<KernelText> emitSsmScan(KernelWriter &writer, SsmScanOp scan) {
  writer.constant("rows", std::min<int64_t>(scan.getNumRows(), geometry::kMaxChunk)); // as far as a chunk goes by them
  describeSsm(writer, scan);
  FailureOr<SmallVector<View>> views = viewsOf(writer, scan, {scan.getX(), scan.getDt(), scan.getB(), scan.getC()});
  FailureOr<std::string> epilogue = emitEpilogue(writer, scan.getResult(), nullptr);
  if (failed(views) || failed(epilogue))
    return failure();
  bool isAligned = true;
  for (unsigned number : {0, 2, 3})
    isAligned &= (*views)[number].offset % kWidest == 0;
  writer.operand(views->front().element);
  if (writer.getCollective() == geometry::wgmma::Scan::kCollective)
    writer.includeWgmma();
  writer.constant("aligned", isAligned);
  SmallVector<std::string> call{emitPieces(writer, dimOf(scan.getSlots(), 0))};
  const StringRef names[] = {nameOfX({views->front(), (*views)[2], (*views)[3]}), "dt", "b", "c"};
  for (auto [view, name] : llvm::zip(*views, names))
    call.push_back(writer.rows(view, name));
  llvm::append_range(call, headArguments(writer, scan));
  call.push_back(writer.address(scan, scan.getStarts(), "starts"));
  call.push_back(writer.address(scan, scan.getState(), "state"));
  call.push_back(*epilogue);
  if (scan.getScales())
    call.push_back(writer.address(scan, scan.getScales(), "scales"));
  return writer.finish({"State"}, call);
}

} // namespace bambac::codegen
