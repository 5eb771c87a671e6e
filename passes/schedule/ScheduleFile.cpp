// See ScheduleFile.h.
#include "passes/schedule/ScheduleFile.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

namespace bambac {
namespace {

template <typename... Args> llvm::Error makeError(const char *format, const Args &...args) {
  return llvm::createStringError(llvm::formatv(format, args...).str());
}

/// An integer not below zero, or nothing.
std::optional<int64_t> getSize(const llvm::json::Value &value) {
  std::optional<int64_t> size = value.getAsInteger();
  return size && *size >= 0 ? size : std::nullopt;
}

std::optional<SmallVector<int64_t>> getSizes(const llvm::json::Value &value) {
  const llvm::json::Array *array = value.getAsArray();
  if (!array)
    return std::nullopt;
  SmallVector<int64_t> sizes;
  for (const llvm::json::Value &element : *array) {
    std::optional<int64_t> size = getSize(element);
    if (!size)
      return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

} // namespace

bool ScheduleFile::Override::matches(StringRef kernel) const {
  StringRef beginning = pattern;
  return beginning.consume_back("*") ? kernel.starts_with(beginning) : kernel == pattern;
}

llvm::Expected<ScheduleFile::Override> ScheduleFile::parse(StringRef path, StringRef pattern,
                                                           const llvm::json::Value &value, Device device) {
  const llvm::json::Object *fields = value.getAsObject();
  if (!fields)
    return makeError("{0}: field '{1}': expected an object, found {2}", path, pattern, value);
  Override result;
  result.pattern = pattern.str();
  for (const auto &[name, field] : *fields) {
    StringRef key = name;
    bool cpu = device == Device::Cpu;
    if (cpu && key == "workgroup") {
      if (!(result.workgroup = getSizes(field)))
        return makeError("{0}: field '{1}.workgroup': expected a list of sizes, found {2}", path, pattern, field);
      continue;
    }
    if (cpu && key != "rows" && key != "depth" && key != "chunk")
      return makeError("{0}: field '{1}': expected workgroup, rows, depth or chunk, found '{2}'", path, pattern, key);
    std::optional<int64_t> size = getSize(field);
    if (!size || (cpu && key == "rows" && *size == 0))
      return makeError("{0}: field '{1}.{2}': expected a size, found {3}", path, pattern, key, field);
    result.sizes[key.str()] = *size;
  }
  return result;
}

llvm::Expected<ScheduleFile> ScheduleFile::read(StringRef path, Device device) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return makeError("{0}: expected a schedule file, found: {1}", path, buffer.getError().message());
  llvm::Expected<llvm::json::Value> json = llvm::json::parse((*buffer)->getBuffer());
  if (!json)
    return makeError("{0}: expected JSON, found: {1}", path, llvm::toString(json.takeError()));
  const llvm::json::Object *object = json->getAsObject();
  if (!object)
    return makeError("{0}: expected an object of schedules by kernel name", path);
  ScheduleFile file;
  file.path = path.str();
  for (const auto &[pattern, value] : *object) {
    llvm::Expected<Override> parsed = parse(path, StringRef(pattern), value, device);
    if (!parsed)
      return parsed.takeError();
    file.overrides.push_back(std::move(*parsed));
  }
  llvm::sort(file.overrides, [](const Override &left, const Override &right) { return left.pattern < right.pattern; });
  return file;
}

CpuScheduleAttr ScheduleFile::apply(StringRef kernel, CpuScheduleAttr chosen) const {
  SmallVector<int64_t> workgroup(chosen.getWorkgroup());
  std::map<std::string, int64_t> sizes{
      {"rows", chosen.getRows()}, {"depth", chosen.getDepth()}, {"chunk", chosen.getChunk()}};
  for (const Override &entry : overrides) {
    if (!entry.matches(kernel))
      continue;
    workgroup = entry.workgroup.value_or(workgroup);
    for (const auto &[key, size] : entry.sizes)
      sizes[key] = size;
  }
  return CpuScheduleAttr::get(chosen.getContext(), workgroup, sizes["rows"], sizes["depth"], sizes["chunk"]);
}

llvm::Expected<CudaScheduleAttr> ScheduleFile::apply(StringRef kernel, CudaScheduleAttr chosen) const {
  Builder builder(chosen.getContext());
  NamedAttrList fields(chosen.getFields());
  for (const Override &entry : overrides) {
    if (!entry.matches(kernel))
      continue;
    for (const auto &[key, size] : entry.sizes) {
      if (!fields.get(key)) {
        std::string known = llvm::join(
            llvm::map_range(chosen.getFields(), [](NamedAttribute field) { return field.getName().str(); }), ", ");
        return makeError("{0}: field '{1}': expected a field of {2} ({3}), found '{4}'", path, entry.pattern,
                         chosen.getCollective().getValue(), known.empty() ? "none" : known, key);
      }
      fields.set(key, builder.getI64IntegerAttr(size));
    }
  }
  return CudaScheduleAttr::get(chosen.getContext(), chosen.getCollective(), fields.getDictionary(chosen.getContext()));
}

} // namespace bambac
