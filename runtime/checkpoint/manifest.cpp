#include "runtime/checkpoint/manifest.h"
#include "runtime/support/element.h"
#include "runtime/support/error.h"
#include "runtime/support/format_shape.h"
#include "runtime/support/hash.h"
#include <algorithm>
#include <cmath>
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
          .key = keyOf(source, ~seed), // of no type
          .tensor = source.name};
}

/// The scales of a weight of codes; null for another.
const bamba_rt_weight *scalesOf(const bamba_rt_model &model, const bamba_rt_weight &weight) {
  return weight.scales ? &model.weights[weight.scales - 1] : nullptr;
}

/// Calls function(number of a source with codes, number of the source with its scales).
template <typename Function> void forEachScaled(const bamba_rt_model &model, const Function &function) {
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    if (const bamba_rt_weight *scales = scalesOf(model, weight))
      for (uint32_t i = 0; i < weight.num_sources; ++i)
        function(weight.first_source + i, scales->first_source + i);
}

/// Null where weights are not made of such elements.
const contract::ElementType *findStoredType(const CheckpointTensor &found) {
  for (const contract::ElementType &type : contract::kElementTypes)
    if (type.isStored && type.safetensors == found.tensor.dtype->name)
      return &type;
  return nullptr;
}

[[noreturn]] void failOnType(const CheckpointTensor &found, std::string_view name, std::string_view expected) {
  fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': dtype: expected {}, found {}", found.file->path(), name, expected,
       found.tensor.dtype->name);
}

/// The type of numbers, which are no codes.
bamba_rt_dtype typeOfNumbers(const CheckpointTensor &found, std::string_view name) {
  const contract::ElementType *type = findStoredType(found);
  if (!type || type->isScaled)
    failOnType(found, name, contract::listNumberTypes(&contract::ElementType::safetensors));
  return type->type;
}

/// The type of codes, or of numbers where `scales` can be computed from them: one for each row.
bamba_rt_dtype typeOfCodes(const CheckpointTensor &found, const bamba_rt_source &codes, const bamba_rt_source &scales) {
  const contract::ElementType *type = findStoredType(found);
  bool canCompute = scales.repeat <= 1 && columnsOf(scales) == 1;
  std::string_view expected = contract::describe(BAMBA_RT_F8E4M3).safetensors;
  if (type && (type->isScaled || canCompute))
    return type->type;
  failOnType(found, codes.name,
             canCompute
                 ? fmt::format("{}, or {}", expected, contract::listNumberTypes(&contract::ElementType::safetensors))
                 : std::string(expected));
}

/// " and N more" where N is not zero.
std::string andMore(size_t count) { return count ? fmt::format(" and {} more", count) : std::string(); }

/// What all names begin with in a checkpoint that was saved from within another module: "_orig_mod.", say. Empty where
/// the names do not differ in just that.
std::string_view findPrefix(std::span<const std::string_view> missing, std::span<const std::string_view> unknown) {
  for (std::string_view name : unknown)
    if (name.ends_with(missing[0]) && name.size() > missing[0].size())
      return name.substr(0, name.size() - missing[0].size());
  return {};
}

/// Sources, by their numbers, whose tensor may be missing and is.
std::set<uint32_t> findMissingScales(const bamba_rt_model &model, const Checkpoint &checkpoint) {
  std::set<uint32_t> missing;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    for (uint32_t i = 0; i < weight.num_sources && weight.flags & BAMBA_RT_WEIGHT_OPTIONAL; ++i)
      if (!checkpoint.tensors().contains(std::string_view(model.sources[weight.first_source + i].name)))
        missing.insert(weight.first_source + i);
  return missing;
}

/// Scales, by the numbers of their sources, that are computed because the checkpoint has numbers in place of codes.
std::set<uint32_t> findComputedScales(const bamba_rt_model &model, const Checkpoint &checkpoint) {
  std::set<uint32_t> computed;
  forEachScaled(model, [&](uint32_t codes, uint32_t scales) {
    auto found = checkpoint.tensors().find(std::string_view(model.sources[codes].name));
    if (found == checkpoint.tensors().end())
      return;
    if (!contract::describe(typeOfCodes(found->second, model.sources[codes], model.sources[scales])).isScaled)
      computed.insert(scales);
  });
  return computed;
}

void checkNames(const bamba_rt_model &model, const std::set<uint32_t> &unread, const CheckpointRules &rules,
                const Checkpoint &checkpoint) {
  std::set<std::string_view> known;
  std::vector<std::string_view> missing, unknown;
  for (uint32_t number = 0; number < model.num_sources; ++number)
    if (const bamba_rt_source &source = model.sources[number];
        !unread.contains(number) && known.insert(source.name).second &&
        !checkpoint.tensors().contains(std::string_view(source.name)))
      missing.push_back(source.name);
  for (const auto &[name, tensor] : checkpoint.tensors())
    if (!known.contains(name) && !rules.isIgnored(name) && rules.originalOf(name).empty())
      unknown.push_back(name);
  // Where tensors are missing, the unknown ones are often the same under another name: say both.
  std::string found = unknown.empty() ? ""
                                      : fmt::format("; found '{}'{}, which the model does not have", unknown[0],
                                                    andMore(unknown.size() - 1));
  if (!missing.empty()) {
    if (std::string_view prefix = findPrefix(missing, unknown); !prefix.empty())
      found = fmt::format("; found '{}{}': expected names without the prefix '{}'", prefix, missing[0], prefix);
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected the tensor '{}'{}, found no such tensor{}", checkpoint.path(), missing[0],
         andMore(missing.size() - 1), found);
  }
  if (!unknown.empty())
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected only the model's {} tensors, found also '{}'{}",
         checkpoint.tensors().find(unknown[0])->second.file->path(), known.size(), unknown[0],
         andMore(unknown.size() - 1));
}

/// A shape without its dimensions of 1: a convolution's taps [C, 1, K] are also stored as [C, K].
std::vector<uint64_t> squeeze(std::span<const uint64_t> shape) {
  std::vector<uint64_t> result;
  std::ranges::copy_if(shape, std::back_inserter(result), [](uint64_t size) { return size != 1; });
  return result;
}

/// The number of rows that a tensor has beyond those of the model.
uint64_t countPadding(const bamba_rt_source &source, const CheckpointTensor &found, const CheckpointRules &rules) {
  std::span<const uint64_t> expected = shapeOf(source);
  const std::vector<uint64_t> &shape = found.tensor.shape;
  bool sameColumns = !expected.empty() && shape.size() == expected.size() &&
                     std::equal(shape.begin() + 1, shape.end(), expected.begin() + 1);
  if (sameColumns && shape[0] > expected[0] && rules.mayBePadded(source.name))
    return shape[0] - expected[0];
  if (squeeze(expected) != squeeze(shape))
    fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': shape: expected {}, found {}", found.file->path(), source.name,
         formatShape(expected), formatShape(shape));
  return 0;
}

bool haveSameBytes(const CheckpointTensor &a, const CheckpointTensor &b) {
  constexpr uint64_t pieceBytes = 8 << 20;
  std::vector<std::byte> pieceOfA(std::min(pieceBytes, a.tensor.bytes)), pieceOfB(pieceOfA.size());
  for (uint64_t first = 0; first < a.tensor.bytes; first += pieceBytes) {
    uint64_t count = std::min(pieceBytes, a.tensor.bytes - first);
    a.file->read(a.tensor.offset + first, std::span(pieceOfA).first(count));
    b.file->read(b.tensor.offset + first, std::span(pieceOfB).first(count));
    if (!std::equal(pieceOfA.begin(), pieceOfA.begin() + static_cast<ptrdiff_t>(count), pieceOfB.begin()))
      return false;
  }
  return true;
}

/// A copy is as good as its original: one that differs is said, since another program may take the copy.
void warnOfCopies(const CheckpointRules &rules, const Checkpoint &checkpoint, const Warn &warn) {
  for (const auto &[name, copy] : checkpoint.tensors()) {
    auto original = checkpoint.tensors().find(rules.originalOf(name));
    if (original == checkpoint.tensors().end())
      continue;
    const FileTensor &a = copy.tensor, &b = original->second.tensor;
    if (a.dtype != b.dtype || a.shape != b.shape || !haveSameBytes(copy, original->second))
      warn(fmt::format("{}: tensor '{}' differs from '{}', which the model reads instead of it", copy.file->path(),
                       name, original->first));
  }
}

/// What the numbers of a source are.
enum class Role { Numbers, Codes, Scales };

std::vector<Role> findRoles(const bamba_rt_model &model) {
  std::vector<Role> roles(model.num_sources, Role::Numbers);
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights)) {
    Role role = weight.scales ? Role::Codes : weight.flags & BAMBA_RT_WEIGHT_POSITIVE ? Role::Scales : Role::Numbers;
    std::fill_n(roles.begin() + weight.first_source, weight.num_sources, role);
  }
  return roles;
}

void setNumbers(WeightSource &source, std::shared_ptr<const std::vector<float>> numbers) {
  source.data = reinterpret_cast<const std::byte *>(numbers->data());
  source.numbers = std::move(numbers);
  source.dtype = BAMBA_RT_F32;
}

/// The rows of a tensor of scales, as f32 and repeated.
void readScales(const bamba_rt_source &source, const CheckpointTensor &found, WeightSource &matched) {
  uint64_t columns = columnsOf(source), bytes = elementBytes(matched.dtype);
  std::vector<std::byte> stored(found.tensor.bytes);
  found.file->read(found.tensor.offset, stored);
  auto numbers = std::make_shared<std::vector<float>>();
  for (uint64_t row = source.first_row; row < source.first_row + source.num_rows; ++row)
    for (uint64_t column = 0; column < columns; ++column) {
      uint64_t index = row / std::max<uint64_t>(source.repeat, 1) * columns + column;
      float number = loadElement(matched.dtype, stored.data() + index * bytes);
      if (!(number > 0 && std::isfinite(number)))
        fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': element {}: expected a scale greater than 0, found {}",
             found.file->path(), source.name, index, number);
      numbers->push_back(number);
    }
  matched.key = hashBytes(matched.key, std::as_bytes(std::span(*numbers)));
  setNumbers(matched, std::move(numbers));
}

} // namespace

std::vector<WeightSource> matchSources(const bamba_rt_model &model, const CheckpointRules &rules,
                                       const Checkpoint &checkpoint, const Warn &warn) {
  std::set<uint32_t> computed = findComputedScales(model, checkpoint);
  std::set<uint32_t> ones = findMissingScales(model, checkpoint), unread = ones;
  unread.insert(computed.begin(), computed.end());
  checkNames(model, unread, rules, checkpoint);
  std::set<std::string_view> padded;
  std::vector<WeightSource> sources;
  std::vector<Role> roles = findRoles(model);
  for (uint32_t number = 0; number < model.num_sources; ++number) {
    const bamba_rt_source &source = model.sources[number];
    if (computed.contains(number)) {
      sources.emplace_back(describe(source, 0)).isComputed = true;
      continue;
    }
    if (ones.contains(number)) {
      uint64_t count = source.num_rows * columnsOf(source);
      setNumbers(sources.emplace_back(describe(source, 0)), std::make_shared<std::vector<float>>(count, 1.0f));
      continue;
    }
    const CheckpointTensor &found = checkpoint.tensors().find(std::string_view(source.name))->second;
    if (uint64_t rows = countPadding(source, found, rules); rows && padded.insert(source.name).second)
      warn(fmt::format("{}: tensor '{}' has {} rows, of which the model takes the first {}", found.file->path(),
                       source.name, source.shape[0] + rows, source.shape[0]));
    WeightSource &matched = sources.emplace_back(describe(source, 0));
    matched.dtype = roles[number] == Role::Codes ? findStoredType(found)->type : typeOfNumbers(found, source.name);
    matched.key = keyOf(source, matched.dtype);
    if (roles[number] == Role::Scales) {
      readScales(source, found, matched);
      continue;
    }
    matched.quantizes = roles[number] == Role::Codes && matched.dtype != BAMBA_RT_F8E4M3;
    matched.file = found.file;
    matched.offset = found.tensor.offset + source.first_row * columnsOf(source) * elementBytes(matched.dtype);
  }
  warnOfCopies(rules, checkpoint, warn);
  return sources;
}

std::vector<WeightSource> randomSources(const bamba_rt_model &model, uint64_t seed) {
  std::vector<WeightSource> sources;
  for (const bamba_rt_source &source : std::span(model.sources, model.num_sources))
    sources.push_back(describe(source, seed));
  forEachScaled(model, [&](uint32_t codes, uint32_t scales) {
    float scale = scaleOfRandomCodes(columnsOf(model.sources[codes]));
    sources[codes].dtype = BAMBA_RT_F8E4M3;
    sources[codes].randomScale = scale;
    uint64_t count = model.sources[scales].num_rows * columnsOf(model.sources[scales]);
    setNumbers(sources[scales], std::make_shared<std::vector<float>>(count, scale));
  });
  return sources;
}

} // namespace bambac::rt
