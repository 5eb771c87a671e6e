// See ScheduleFile.h.
#include "passes/ScheduleFile.h"
#include "llvm/ADT/StringSwitch.h"
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

llvm::Expected<ScheduleFile::Override> ScheduleFile::parse(StringRef path, StringRef pattern,
                                                           const llvm::json::Value &value) {
  const llvm::json::Object *fields = value.getAsObject();
  if (!fields)
    return makeError("{0}: field '{1}': expected an object, found {2}", path, pattern, value);
  Override result;
  result.pattern = pattern.str();
  for (const auto &[name, field] : *fields) {
    StringRef key = name;
    if (key == "workgroup") {
      if (!(result.workgroup = getSizes(field)))
        return makeError("{0}: field '{1}.workgroup': expected a list of sizes, found {2}", path, pattern, field);
      continue;
    }
    std::optional<int64_t> *slot = llvm::StringSwitch<std::optional<int64_t> *>(key)
                                       .Case("rows", &result.rows)
                                       .Case("depth", &result.depth)
                                       .Case("chunk", &result.chunk)
                                       .Default(nullptr);
    if (!slot)
      return makeError("{0}: field '{1}': expected workgroup, rows, depth or chunk, found '{2}'", path, pattern, key);
    *slot = getSize(field);
    if (!*slot || (key == "rows" && **slot == 0))
      return makeError("{0}: field '{1}.{2}': expected a size, found {3}", path, pattern, key, field);
  }
  return result;
}

llvm::Expected<ScheduleFile> ScheduleFile::read(StringRef path) {
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
  for (const auto &[pattern, value] : *object) {
    llvm::Expected<Override> parsed = parse(path, StringRef(pattern), value);
    if (!parsed)
      return parsed.takeError();
    file.overrides.push_back(std::move(*parsed));
  }
  llvm::sort(file.overrides, [](const Override &left, const Override &right) { return left.pattern < right.pattern; });
  return file;
}

CpuScheduleAttr ScheduleFile::apply(StringRef kernel, CpuScheduleAttr chosen) const {
  SmallVector<int64_t> workgroup(chosen.getWorkgroup());
  int64_t rows = chosen.getRows(), depth = chosen.getDepth(), chunk = chosen.getChunk();
  for (const Override &entry : overrides) {
    StringRef pattern = entry.pattern;
    bool matches = pattern.consume_back("*") ? kernel.starts_with(pattern) : kernel == pattern;
    if (!matches)
      continue;
    workgroup = entry.workgroup.value_or(workgroup);
    rows = entry.rows.value_or(rows);
    depth = entry.depth.value_or(depth);
    chunk = entry.chunk.value_or(chunk);
  }
  return CpuScheduleAttr::get(chosen.getContext(), workgroup, rows, depth, chunk);
}

} // namespace bambac
