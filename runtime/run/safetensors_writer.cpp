#include "runtime/run/safetensors_writer.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/contract/element_types.h"
#include "runtime/run/failure.h"
#include "runtime/run/output.h"

#include <bit>
#include <cassert>
#include <fstream>
#include <functional>
#include <numeric>
#include <utility>

namespace bambac::run {

// Lengths and elements are little-endian in the file, and that is the only order that the kernels know.
static_assert(std::endian::native == std::endian::little);

uint64_t TensorSpec::numElements() const {
  return std::accumulate(shape.begin(), shape.end(), uint64_t(1), std::multiplies<>());
}

uint64_t TensorSpec::elementBytes() const {
  for (const contract::ElementType &type : contract::kElementTypes)
    if (type.safetensors == dtype)
      return type.bytes;
  assert(false && "a type of the contract");
  return 0;
}

SafetensorsWriter::SafetensorsWriter(std::string path, const std::vector<TensorSpec> &tensors,
                                     const std::map<std::string, std::string> &metadata)
    : file(std::move(path)) {
  Json header = Json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorSpec &tensor : tensors) {
    uint64_t end = offset + tensor.numBytes();
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    starts.push_back(offset);
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' '); // tensors start at a multiple of eight bytes

  uint64_t length = text.size();
  if (length > rt::maxSafetensorsHeader)
    fail("cannot write '{}': expected a header of at most {} bytes, found {}", file.path(), rt::maxSafetensorsHeader,
         length);
  uint64_t dataStart = sizeof(length) + length;
  for (uint64_t &start : starts)
    start += dataStart;
  file.reserve(dataStart + offset);
  file.writeAt(0, &length, sizeof(length));
  file.writeAt(sizeof(length), text.data(), text.size());
}

void SafetensorsWriter::write(size_t tensor, uint64_t offset, const void *data, size_t size) {
  file.writeAt(starts[tensor] + offset, data, size);
}

std::string readSafetensorsMetadata(const std::string &path, const std::string &key) {
  std::ifstream file(path, std::ios::binary);
  uint64_t length = 0;
  if (!file.read(reinterpret_cast<char *>(&length), sizeof(length)) || length > rt::maxSafetensorsHeader)
    return {};
  std::string text(length, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(length)))
    return {};
  Json header = Json::parse(text, nullptr, false);
  if (!header.is_object() || !header.contains("__metadata__") || !header["__metadata__"].is_object())
    return {};
  Json &value = header["__metadata__"][key];
  return value.is_string() ? value.get<std::string>() : std::string();
}

} // namespace bambac::run
