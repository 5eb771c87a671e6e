#include "runtime/checkpoint/safetensors.h"
#include "runtime/support/error.h"
#include "runtime/support/format_shape.h"
#include "runtime/support/json.h"
#include <algorithm>
#include <optional>

namespace bambac::rt {
namespace {

constexpr size_t lengthBytes = 8;

constexpr FileDtype dtypes[] = {
    {"BOOL", 8},    {"U8", 8},      {"I8", 8},   {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F4", 4},
    {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16}, {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},
    {"U32", 32},    {"F32", 32},    {"I64", 64}, {"U64", 64},    {"F64", 64},    {"C64", 64},
};

/// One tensor's part of the header, with messages that name the file, the tensor and the field.
class EntryReader {
public:
  EntryReader(std::string_view path, std::string_view name, const Json &entry) : path(path), name(name), entry(entry) {
    if (!entry.is_object())
      bad("description", "an object", jsonKind(entry));
    for (const auto &[key, value] : entry.items())
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        bad("description", "dtype, shape and data_offsets", fmt::format("the field '{}'", key));
  }

  /// The bytes after the header are [`body`, `end`) of the file.
  FileTensor read(uint64_t body, uint64_t end) const {
    FileTensor tensor;
    tensor.dtype = readDtype();
    tensor.shape = readNumbers("shape");
    uint64_t bytes = tensorBytes(*tensor.dtype, tensor.shape);
    std::vector<uint64_t> offsets = readNumbers("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      bad("data_offsets", "[begin, end]", formatShape(offsets));
    if (offsets[1] > end - body)
      bad("data_offsets",
          fmt::format("an end within the {} bytes after the header (is the file truncated?)", end - body),
          fmt::format("{}", offsets[1]));
    if (offsets[1] - offsets[0] != bytes)
      bad("data_offsets", fmt::format("{} bytes for {} {}", bytes, tensor.dtype->name, formatShape(tensor.shape)),
          fmt::format("{}", offsets[1] - offsets[0]));
    tensor.offset = body + offsets[0];
    tensor.bytes = bytes;
    return tensor;
  }

private:
  [[noreturn]] void bad(std::string_view field, std::string_view expected, std::string_view found) const {
    fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': {}: expected {}, found {}", path, name, field, expected, found);
  }

  const Json &field(const char *key) const {
    auto found = entry.find(key);
    if (found == entry.end())
      bad(key, "a value", "none");
    return *found;
  }

  const FileDtype *readDtype() const {
    const Json &value = field("dtype");
    if (!value.is_string())
      bad("dtype", "a string", jsonKind(value));
    const auto &text = value.get_ref<const std::string &>();
    const auto *found = std::ranges::find(dtypes, std::string_view(text), &FileDtype::name);
    if (found == std::end(dtypes))
      bad("dtype", "a type of the safetensors format", fmt::format("'{}'", text));
    return found;
  }

  std::vector<uint64_t> readNumbers(const char *key) const {
    const Json &value = field(key);
    if (!value.is_array())
      bad(key, "an array", jsonKind(value));
    std::vector<uint64_t> numbers;
    for (const Json &element : value) {
      if (!element.is_number_unsigned())
        bad(key, "whole numbers below 2^64", element.is_number() ? element.dump() : jsonKind(element));
      numbers.push_back(element.get<uint64_t>());
    }
    return numbers;
  }

  uint64_t tensorBytes(const FileDtype &dtype, std::span<const uint64_t> shape) const {
    uint64_t bits = dtype.bits;
    for (uint64_t dimension : shape)
      if (__builtin_mul_overflow(bits, dimension, &bits))
        bad("shape", "fewer than 2^64 bits in all", formatShape(shape));
    if (bits % 8 != 0)
      bad("shape", "a whole number of bytes", fmt::format("{} bits", bits));
    return bits / 8;
  }

  std::string_view path, name;
  const Json &entry;
};

/// The length of the header of a file that starts with `start`.
uint64_t readLength(std::string_view path, std::span<const std::byte> start, uint64_t fileBytes) {
  if (fileBytes < lengthBytes)
    fail(BAMBA_BAD_CHECKPOINT, "{}: header: expected a length of 8 bytes, found a file of {} bytes", path, fileBytes);
  uint64_t length = 0;
  for (size_t i = 0; i < lengthBytes; ++i)
    length |= std::to_integer<uint64_t>(start[i]) << (8 * i);
  if (length > maxSafetensorsHeader)
    fail(BAMBA_BAD_CHECKPOINT, "{}: header: expected a length of at most {}, found {}", path, maxSafetensorsHeader,
         length);
  if (length > fileBytes - lengthBytes)
    fail(BAMBA_BAD_CHECKPOINT, "{}: header: expected {} bytes, found {} (is the file truncated?)", path, length,
         fileBytes - lengthBytes);
  return length;
}

std::span<const std::byte> findHeader(std::string_view path, std::span<const std::byte> start, uint64_t fileBytes) {
  std::span<const std::byte> header = start.subspan(lengthBytes, readLength(path, start, fileBytes));
  if (header.empty() || std::to_integer<char>(header[0]) != '{')
    fail(BAMBA_BAD_CHECKPOINT, "{}: header: expected JSON that starts with '{{', found {}", path,
         header.empty() ? "nothing" : "something else");
  return header;
}

void checkMetadata(std::string_view path, const Json &metadata) {
  bool good = metadata.is_object();
  if (good)
    for (const Json &value : metadata)
      good = good && value.is_string();
  if (!good)
    fail(BAMBA_BAD_CHECKPOINT, "{}: __metadata__: expected an object of strings, found something else", path);
}

/// The format forbids gaps and overlaps, so that a file has one meaning and no hidden bytes.
void checkCoverage(std::string_view path, uint64_t body, uint64_t fileBytes, const FileTensors &tensors) {
  std::vector<const FileTensors::value_type *> order;
  for (const auto &tensor : tensors)
    order.push_back(&tensor);
  std::ranges::sort(order, [](const auto *a, const auto *b) {
    auto key = [](const auto *t) { return std::pair(t->second.offset, t->second.bytes); };
    return key(a) < key(b);
  });
  uint64_t end = 0;
  for (const auto *tensor : order) {
    uint64_t begin = tensor->second.offset - body;
    if (begin != end)
      fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': data_offsets: expected to start at {}, found {} ({})", path,
           tensor->first, end, begin, begin < end ? "overlaps the tensor before it" : "leaves a gap before it");
    end += tensor->second.bytes;
  }
  if (end != fileBytes - body)
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected {} bytes of tensors after the header, found {}", path, end,
         fileBytes - body);
}

} // namespace

FileTensors parseSafetensors(std::string_view path, std::span<const std::byte> start, uint64_t fileBytes) {
  std::span<const std::byte> header = findHeader(path, start, fileBytes);
  uint64_t body = lengthBytes + header.size();
  Json json = parseJson(fmt::format("{}: header", path), header);
  FileTensors tensors;
  for (const auto &[name, entry] : json.items()) {
    if (name == "__metadata__")
      checkMetadata(path, entry);
    else
      tensors.emplace(name, EntryReader(path, name, entry).read(body, fileBytes));
  }
  checkCoverage(path, body, fileBytes, tensors);
  return tensors;
}

FileTensors readSafetensors(const InputFile &file) {
  std::vector<std::byte> start(std::min<uint64_t>(lengthBytes, file.size()));
  file.read(0, start);
  start.resize(lengthBytes + readLength(file.path(), start, file.size()));
  file.read(0, start);
  return parseSafetensors(file.path(), start, file.size());
}

} // namespace bambac::rt
