#include "runtime/session/sampling_table.h"
#include "runtime/model/model.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace bambac::rt {
namespace {

static_assert(BAMBA_MAX_BEST == BAMBA_RT_MOST_BEST, "a row has room for all that callers may ask for");

bool hasEdits(const bamba_sampling &sampling) { return sampling.num_bias > 0 || hasPenalties(sampling); }

/// Bits of BAMBA_RT_SAMPLING_...; none where the greedy token is all that is wanted.
uint32_t flagsOf(const bamba_sampling &sampling) {
  uint32_t flags = 0;
  if (hasEdits(sampling))
    flags |= BAMBA_RT_SAMPLING_EDITS;
  if (sampling.allowed)
    flags |= BAMBA_RT_SAMPLING_MASKS;
  if (flags != 0 || sampling.temperature > 0)
    flags |= BAMBA_RT_SAMPLING_DRAWS;
  if (sampling.wants_logprobs)
    flags |= BAMBA_RT_SAMPLING_LOGPROBS;
  return flags;
}

/// The edit of a token, made where there is none.
bamba_rt_edit &editOf(std::vector<bamba_rt_edit> &edits, int32_t token) {
  auto place = std::ranges::lower_bound(edits, token, {}, &bamba_rt_edit::token);
  if (place == edits.end() || place->token != token)
    place = edits.insert(place, {token, 0, 0, 0});
  return *place;
}

/// Edits of biases and of the tokens of a prompt, in the order of the tokens: both may be long.
std::vector<bamba_rt_edit> makeEdits(std::span<const bamba_logit_bias> bias, std::span<const int32_t> prompt) {
  std::vector<bamba_rt_edit> edits;
  edits.reserve(bias.size() + prompt.size());
  for (const bamba_logit_bias &one : bias)
    edits.push_back({one.token, one.bias, 0, 0});
  for (int32_t token : prompt)
    edits.push_back({token, 0, 1, 0});
  std::ranges::stable_sort(edits, {}, &bamba_rt_edit::token);
  size_t kept = 0;
  for (const bamba_rt_edit &edit : edits) {
    if (kept == 0 || edits[kept - 1].token != edit.token) {
      edits[kept++] = edit;
      continue;
    }
    edits[kept - 1].bias += edit.bias;
    edits[kept - 1].prompt |= edit.prompt;
  }
  edits.resize(kept);
  return edits;
}

bool isSame(std::span<const bamba_logit_bias> left, std::span<const bamba_logit_bias> right) {
  return std::ranges::equal(left, right, [](const bamba_logit_bias &a, const bamba_logit_bias &b) {
    return a.token == b.token && a.bias == b.bias;
  });
}

class Checker {
public:
  Checker(std::optional<size_t> item, uint32_t vocabulary) : item(item), vocabulary(vocabulary) {}

  void number(const char *field, float value, float least, float most) const {
    if (!(value >= least && value <= most))
      refuse(BAMBA_INVALID_ARGUMENT, "{}: expected a number from {} to {}, found {}", field, least, most, value);
  }

  void list(const char *field, const void *address, uint32_t count) const {
    if (count > 0 && !address)
      refuse(BAMBA_INVALID_ARGUMENT, "{}: expected {} of them, found a null pointer", field, count);
  }

  void token(const char *field, uint32_t place, int32_t value) const {
    if (value < 0 || static_cast<uint32_t>(value) >= vocabulary)
      refuse(BAMBA_OUT_OF_RANGE, "{} {}: expected a token from 0 to {}, found {}", field, place, vocabulary - 1, value);
  }

  template <typename... Args>
  [[noreturn]] void refuse(bamba_status status, fmt::format_string<Args...> format, Args &&...args) const {
    fail(status, "{}sampling: {}", item ? fmt::format("item {}: ", *item) : std::string(),
         fmt::format(format, std::forward<Args>(args)...));
  }

private:
  std::optional<size_t> item;
  uint32_t vocabulary;
};

} // namespace

bool hasPenalties(const bamba_sampling &sampling) {
  return (sampling.repetition_penalty != 0 && sampling.repetition_penalty != 1) || sampling.presence_penalty != 0 ||
         sampling.frequency_penalty != 0;
}

bool allowsAny(const uint32_t *allowed, uint32_t vocabulary) {
  std::span words(allowed, vocabulary / 32);
  if (std::ranges::any_of(words, [](uint32_t word) { return word != 0; }))
    return true;
  uint32_t rest = vocabulary % 32; // bits of the last word
  return rest > 0 && (allowed[words.size()] & ((1U << rest) - 1)) != 0;
}

void checkSampling(std::optional<size_t> item, const bamba_sampling &sampling, uint32_t vocabulary) {
  constexpr float largest = 1e6F;
  Checker check(item, vocabulary);
  check.number("temperature", sampling.temperature, 0, largest);
  check.number("top_p", sampling.top_p, 0, 1);
  check.number("min_p", sampling.min_p, 0, 1);
  check.number("repetition_penalty", sampling.repetition_penalty, 0, largest);
  check.number("presence_penalty", sampling.presence_penalty, -largest, largest);
  check.number("frequency_penalty", sampling.frequency_penalty, -largest, largest);
  if (sampling.wants_logprobs > 1)
    check.refuse(BAMBA_INVALID_ARGUMENT, "wants_logprobs: expected 0 or 1, found {}", sampling.wants_logprobs);
  if (sampling.num_best > BAMBA_MAX_BEST)
    check.refuse(BAMBA_INVALID_ARGUMENT, "num_best: expected at most {}, found {}", BAMBA_MAX_BEST, sampling.num_best);
  if (sampling.num_best > 0 && !sampling.wants_logprobs)
    check.refuse(BAMBA_INVALID_ARGUMENT, "num_best: expected 0 without wants_logprobs, found {}", sampling.num_best);
  check.list("bias", sampling.bias, sampling.num_bias);
  check.list("prompt", sampling.prompt, sampling.num_prompt);
  check.list("generated", sampling.generated, sampling.num_generated);
  for (uint32_t i = 0; i < sampling.num_bias; ++i) {
    check.token("bias", i, sampling.bias[i].token);
    check.number("bias", sampling.bias[i].bias, -largest, largest);
  }
  for (uint32_t i = 0; hasPenalties(sampling) && i < sampling.num_prompt; ++i)
    check.token("prompt", i, sampling.prompt[i]);
  for (uint32_t i = 0; hasPenalties(sampling) && i < sampling.num_generated; ++i)
    check.token("generated", i, sampling.generated[i]);
  if (sampling.allowed && !allowsAny(sampling.allowed, vocabulary))
    check.refuse(BAMBA_INVALID_ARGUMENT, "allowed: expected at least one token, found none");
}

bool isSampled(const bamba_batch_item &item) { return item.sampling && flagsOf(*item.sampling) != 0; }

SamplingTable::SamplingTable(const bamba_rt_model &model, uint32_t slots, Device &device)
    : device(device), vocabulary(model.vocab_size), rows(mostKeptRows(model)), lists(slots),
      table(device.allocate(rows.size() * sizeof(bamba_rt_sampling), "the parameters of samples")) {}

void SamplingTable::prepare(std::span<const bamba_batch_item> items) {
  size_t bytes = rows.size() * sizeof(bamba_rt_sampling);
  bool any = false;
  for (const bamba_batch_item &item : items) {
    if (!isSampled(item))
      continue;
    any = true;
    Lists &list = lists[item.sequence];
    if (hasEdits(*item.sampling))
      takeEdits(*item.sampling, list);
    if (item.sampling->allowed)
      takeAllowed(*item.sampling, list);
    bytes += list.edits.size() * sizeof(bamba_rt_edit) + list.allowed.size() * sizeof(uint32_t);
  }
  if (any && !device.isHost())
    makeStaging(bytes);
}

/// Memory stays: the device may still read it.
void SamplingTable::forget(bamba_sequence slot) {
  Lists &list = lists[slot];
  list.edits.clear();
  list.bias.clear();
  list.allowed.clear();
  list.numPrompt = list.numGenerated = 0;
  list.shownEdits.isCurrent = list.shownAllowed.isCurrent = false;
}

/// Only what is new is counted: a step adds a token to the generated ones.
void SamplingTable::takeEdits(const bamba_sampling &sampling, Lists &list) {
  std::span bias(sampling.bias, sampling.num_bias);
  uint32_t numPrompt = hasPenalties(sampling) ? sampling.num_prompt : 0,
           numGenerated = hasPenalties(sampling) ? sampling.num_generated : 0;
  bool goesOn = list.numPrompt == numPrompt && list.numGenerated <= numGenerated && isSame(list.bias, bias);
  if (!goesOn) { // nothing of the list changes where there is no memory
    std::vector<bamba_rt_edit> edits = makeEdits(bias, {sampling.prompt, numPrompt});
    list.bias = std::vector(bias.begin(), bias.end());
    list.edits = std::move(edits);
    list.numPrompt = numPrompt;
    list.numGenerated = 0;
  }
  if (!goesOn || list.numGenerated < numGenerated)
    list.shownEdits.isCurrent = false;
  for (; list.numGenerated < numGenerated; ++list.numGenerated)
    ++editOf(list.edits, sampling.generated[list.numGenerated]).generated;
  makeRoom(list.shownEdits, list.edits.size() * sizeof(bamba_rt_edit), "the edits of logits");
}

void SamplingTable::takeAllowed(const bamba_sampling &sampling, Lists &list) {
  std::span allowed(sampling.allowed, maskWords(vocabulary));
  if (!std::ranges::equal(list.allowed, allowed)) {
    list.allowed.assign(allowed.begin(), allowed.end());
    list.shownAllowed.isCurrent = false;
  }
  makeRoom(list.shownAllowed, allowed.size_bytes(), "the allowed tokens");
}

void SamplingTable::makeRoom(Shown &shown, size_t bytes, const char *what) {
  if (device.isHost() || bytes <= shown.room)
    return;
  size_t room = std::max<size_t>(2 * shown.room, alignUp(bytes, deviceAlignment, what));
  DeviceMemory memory = device.allocate(room, what);
  device.finish(); // nothing reads the old one any more
  shown = {std::move(memory), room, false};
}

void SamplingTable::makeStaging(size_t bytes) {
  if (bytes <= blockBytes)
    return;
  const char *what = "the parameters of samples on the host";
  size_t larger = alignUp(std::max(bytes, 2 * blockBytes), deviceAlignment, what);
  DeviceMemory memory = device.allocateHost(checkedMul(larger, Device::numMarks, what), what);
  device.finish();
  staging = std::move(memory);
  blockBytes = larger;
}

bamba_rt_sampling SamplingTable::rowOf(const bamba_batch_item &item) {
  bamba_rt_sampling row = {};
  if (!isSampled(item))
    return row;
  const bamba_sampling &from = *item.sampling;
  Lists &list = lists[item.sequence];
  auto orOne = [](float value) { return value == 0 ? 1 : value; };
  row.flags = flagsOf(from);
  row.temperature = from.temperature;
  row.top_k = from.top_k < vocabulary ? from.top_k : 0;
  row.top_p = orOne(from.top_p);
  row.min_p = from.min_p;
  row.repetition = orOne(from.repetition_penalty);
  row.presence = from.presence_penalty;
  row.frequency = from.frequency_penalty;
  row.seed[0] = static_cast<uint32_t>(from.seed);
  row.seed[1] = static_cast<uint32_t>(from.seed >> 32);
  row.num_best = from.num_best;
  auto addressOf = [&](const Shown &shown, const void *onHost) {
    return reinterpret_cast<uint64_t>(device.isHost() ? onHost : shown.memory.get());
  };
  if (row.flags & BAMBA_RT_SAMPLING_EDITS) {
    row.num_edits = static_cast<uint32_t>(list.edits.size());
    row.edits = addressOf(list.shownEdits, list.edits.data());
  }
  if (row.flags & BAMBA_RT_SAMPLING_MASKS)
    row.allowed = addressOf(list.shownAllowed, list.allowed.data());
  return row;
}

void SamplingTable::stage(std::byte *to, const void *from, size_t bytes) {
  std::memcpy(next, from, bytes);
  device.upload(to, next, bytes);
  next += bytes;
}

void SamplingTable::show(Shown &shown, const void *from, size_t bytes) {
  if (device.isHost() || shown.isCurrent || bytes == 0)
    return;
  stage(shown.memory.get(), from, bytes);
  shown.isCurrent = true;
}

void SamplingTable::fill(const Step &step, std::span<const bamba_batch_item> items, const int32_t *tokens,
                         unsigned block) {
  next = staging ? staging.get() + block * blockBytes : nullptr;
  bool keepsAll = step.entry->kind == BAMBA_RT_DECODE;
  size_t count = keepsAll ? step.lanes.size() : step.kept.size(), firstChanged = count, lastChanged = 0;
  for (size_t i = 0; i < count; ++i) {
    const bamba_batch_item &item = items[keepsAll ? step.lanes[i].item : step.kept[i].item];
    bamba_rt_sampling wanted = rowOf(item);
    if (item.tokens[item.num_tokens - 1] < 0 && wanted.flags & BAMBA_RT_SAMPLING_EDITS && hasPenalties(*item.sampling))
      wanted.awaited = reinterpret_cast<uint64_t>(tokens + (keepsAll ? static_cast<int32_t>(i) : step.kept[i].row));
    if (wanted.flags & BAMBA_RT_SAMPLING_EDITS)
      show(lists[item.sequence].shownEdits, lists[item.sequence].edits.data(),
           lists[item.sequence].edits.size() * sizeof(bamba_rt_edit));
    if (wanted.flags & BAMBA_RT_SAMPLING_MASKS)
      show(lists[item.sequence].shownAllowed, lists[item.sequence].allowed.data(),
           lists[item.sequence].allowed.size() * sizeof(uint32_t));
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): -0 and 0 may count as a change
    if (std::memcmp(&wanted, &rows[i], sizeof(wanted)) == 0)
      continue;
    rows[i] = wanted;
    firstChanged = std::min(firstChanged, i);
    lastChanged = i;
  }
  if (firstChanged == count)
    return;
  // Rows in between that have not changed are small next to what another transfer costs.
  std::byte *to = table.get() + firstChanged * sizeof(bamba_rt_sampling);
  size_t bytes = (lastChanged + 1 - firstChanged) * sizeof(bamba_rt_sampling);
  if (device.isHost())
    std::memcpy(to, &rows[firstChanged], bytes);
  else
    stage(to, &rows[firstChanged], bytes);
}

} // namespace bambac::rt
