#include "runtime/checkpoint/manifest.h"
#include "runtime/support/element.h"
#include "runtime/support/error.h"
#include "runtime/support/format_shape.h"
#include "runtime/support/hash.h"
#include <algorithm>
#include <set>
#include <span>
#include <string_view>

namespace bambac::rt {
namespace {

std::span<const uint64_t> shapeOf(const bamba_rt_source &source) { return {source.shape, source.rank}; }

uint64_t columnsOf(const bamba_rt_source &source) {
  uint64_t columns = 1;
  for (uint32_t i = 1; i < source.rank; ++i)
    columns *= source.shape[i];
  return columns;
}

uint64_t keyOf(const bamba_rt_source &source, uint64_t kind) {
  uint64_t key = hashBytes(kind, std::as_bytes(std::span(std::string_view(source.name))));
  for (uint64_t size : shapeOf(source))
    key = hashWord(key, size);
  return hashWord(key, source.first_row);
}

WeightSource describe(const bamba_rt_source &source, uint64_t seed) {
  uint64_t columns = columnsOf(source);
  return {.data = nullptr,
          .dtype = BAMBA_RT_F32,
          .random = Initializer(seed, source.name, columns, source.first_row * columns),
          .rows = source.num_rows,
          .headDim = source.head_dim,
          .rotaryDim = source.rotary_dim,
          .key = keyOf(source, ~seed)}; // of no type
}

bamba_rt_dtype readableDtype(const CheckpointTensor &found, std::string_view name) {
  std::string_view dtype = found.tensor.dtype->name;
  for (const contract::ElementType &type : contract::kElementTypes)
    if (type.isWeight && type.safetensors == dtype)
      return type.type;
  fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': dtype: expected {}, found {}", found.file->path(), name,
       contract::listWeightTypes(&contract::ElementType::safetensors), dtype);
}

/// " and N more" where N is not zero.
std::string andMore(size_t count) { return count ? fmt::format(" and {} more", count) : std::string(); }

void checkNames(const bamba_rt_model &model, const Checkpoint &checkpoint) {
  std::set<std::string_view> known;
  std::vector<std::string_view> missing, unknown;
  for (const bamba_rt_source &source : std::span(model.sources, model.num_sources))
    if (known.insert(source.name).second && !checkpoint.tensors().contains(std::string_view(source.name)))
      missing.push_back(source.name);
  for (const auto &[name, tensor] : checkpoint.tensors())
    if (!known.contains(name))
      unknown.push_back(name);
  // Where tensors are missing, the unknown ones are often the same under another name: say both.
  std::string found = unknown.empty() ? ""
                                      : fmt::format("; found '{}'{}, which the model does not have", unknown[0],
                                                    andMore(unknown.size() - 1));
  if (!missing.empty())
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected the tensor '{}'{}, found no such tensor{}", checkpoint.path(), missing[0],
         andMore(missing.size() - 1), found);
  if (!unknown.empty())
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected only the model's {} tensors, found also '{}'{}",
         checkpoint.tensors().find(unknown[0])->second.file->path(), known.size(), unknown[0],
         andMore(unknown.size() - 1));
}

} // namespace

std::vector<WeightSource> matchSources(const bamba_rt_model &model, const Checkpoint &checkpoint) {
  checkNames(model, checkpoint);
  std::vector<WeightSource> sources;
  for (const bamba_rt_source &source : std::span(model.sources, model.num_sources)) {
    const CheckpointTensor &found = checkpoint.tensors().find(std::string_view(source.name))->second;
    if (!std::ranges::equal(shapeOf(source), found.tensor.shape))
      fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': shape: expected {}, found {}", found.file->path(), source.name,
           formatShape(shapeOf(source)), formatShape(found.tensor.shape));
    WeightSource &matched = sources.emplace_back(describe(source, 0));
    matched.dtype = readableDtype(found, source.name);
    matched.key = keyOf(source, matched.dtype);
    matched.file = found.file;
    matched.offset = found.tensor.offset + source.first_row * columnsOf(source) * elementBytes(matched.dtype);
  }
  return sources;
}

std::vector<WeightSource> randomSources(const bamba_rt_model &model, uint64_t seed) {
  std::vector<WeightSource> sources;
  for (const bamba_rt_source &source : std::span(model.sources, model.num_sources))
    sources.push_back(describe(source, seed));
  return sources;
}

} // namespace bambac::rt
