#include "tests/runtime/toy_table.h"
#include "runtime/host/sample.h"
#include "tests/runtime/fake_cuda.h"
#include <algorithm>
#include <cmath>

namespace bambac::rt::toy {

Observer observer = nullptr;

namespace {

/// The arguments of every launch.
enum Arg {
  Tokens,
  Positions,
  Slots,
  Starts,
  NumRows,
  Pending,
  Pieces,
  Kept,
  KeptCount,
  Sampling,
  Pages,
  Embed,
  Head,
  Norm,
  Conv,
  State,
  Cache,
  X,
  H,
  Logits,
  Greedy,
  Samples
};

template <typename T> T *arg(void *const *args, Arg index) { return static_cast<T *>(args[index]); }

float fromBf16(uint16_t bits) {
  union {
    uint32_t u;
    float f;
  } value = {static_cast<uint32_t>(bits) << 16};
  return value.f;
}

/// Rows of an entry: a token of each of B sequences, or T in B pieces.
constexpr int rowsOf(uint32_t kind, int b, int t) { return kind == BAMBA_RT_DECODE ? b : t; }

/// Kernels of one entry.
template <uint32_t Kind, int B, int T> struct Kernels {
  static constexpr int rows = rowsOf(Kind, B, T), logitsRows = rows;

  static void embed(void *const *args, void *, uint64_t row) {
    if (row == 0 && observer)
      observer(B, T, arg<int32_t>(args, Tokens), arg<int32_t>(args, Positions), arg<int32_t>(args, Slots),
               arg<int32_t>(args, Starts), arg<int32_t>(args, Pieces), arg<int32_t>(args, Pages));
    const uint16_t *embedding = arg<uint16_t>(args, Embed) + int64_t{arg<int32_t>(args, Tokens)[row]} * dim;
    for (int d = 0; d < dim; ++d)
      arg<float>(args, X)[row * dim + d] =
          fromBf16(embedding[d]) * arg<float>(args, Norm)[d] + arg<float>(args, Conv)[dim + d];
  }

  static float *cached(void *const *args, uint64_t row, int position) {
    int piece = arg<int32_t>(args, Pieces)[row];
    int page = arg<int32_t>(args, Pages)[piece * maxPages + position / pageTokens];
    return arg<float>(args, Cache) + int64_t{page * pageTokens + position % pageTokens} * dim;
  }

  static void writeCache(void *const *args, void *, uint64_t row) {
    int position = arg<int32_t>(args, Positions)[row];
    if (position < 0)
      return;
    for (int d = 0; d < dim; ++d)
      cached(args, row, position)[d] = arg<float>(args, X)[row * dim + d];
  }

  /// A slot's state: the sums, then the x of each token that waits. Pieces that are not there share a slot.
  static void scan(void *const *args, void *, uint64_t piece) {
    const int32_t *starts = arg<int32_t>(args, Starts);
    if (starts[piece] == starts[piece + 1] || arg<int32_t>(args, Positions)[starts[piece]] < 0)
      return;
    float *state = arg<float>(args, State) + int64_t{arg<int32_t>(args, Slots)[piece]} * stateRing * dim;
    int waiting = arg<int32_t>(args, Pending)[piece];
    bool waits = Kind == BAMBA_RT_DECODE && waiting < stateRing - 1;
    for (int d = 0; d < dim; ++d) {
      float sum = state[d];
      for (int entry = 1; entry <= waiting; ++entry)
        sum = sum * 0.5f + state[entry * dim + d];
      for (int row = starts[piece]; row < starts[piece + 1]; ++row) {
        int element = row * dim + d;
        sum = sum * 0.5f + arg<float>(args, X)[element];
        arg<float>(args, H)[element] = sum;
      }
      if (waits)
        state[(waiting + 1) * dim + d] = arg<float>(args, X)[piece * dim + d];
      else
        state[d] = sum;
    }
  }

  static void attend(void *const *args, void *scratch, uint64_t row) {
    float *sum = static_cast<float *>(scratch);
    for (int d = 0; d < dim; ++d)
      sum[d] = 0;
    int position = arg<int32_t>(args, Positions)[row];
    for (int p = 0; p <= position; ++p)
      for (int d = 0; d < dim; ++d)
        sum[d] += cached(args, row, p)[d];
    for (int d = 0; d < dim && position >= 0; ++d)
      arg<float>(args, H)[row * dim + d] += sum[d] * 0.25f;
  }

  /// The row that a row of logits belongs to, -1 for padding.
  static int rowOf(void *const *args, int logitsRow) {
    if (Kind == BAMBA_RT_PREFILL)
      return logitsRow < *arg<int32_t>(args, KeptCount) ? arg<int32_t>(args, Kept)[logitsRow] : -1;
    return arg<int32_t>(args, Positions)[logitsRow] < 0 ? -1 : logitsRow;
  }

  /// The runtime promises kernels buffers that start at multiples of 64 bytes; H is an offset into the arena.
  static bool aligned(void *const *args) {
    for (int i = Tokens; i <= Samples; ++i)
      if (i != H && reinterpret_cast<uintptr_t>(args[i]) % 64 != 0)
        return false;
    return true;
  }

  /// The runtime says how many rows have a token.
  static bool countsRows(void *const *args) {
    return std::count_if(arg<int32_t>(args, Positions), arg<int32_t>(args, Positions) + rows,
                         [](int32_t position) { return position >= 0; }) == *arg<int32_t>(args, NumRows);
  }

  /// True where the step has no logits to compute, and must leave those of others.
  static bool keepsNone(void *const *args) { return Kind == BAMBA_RT_PREFILL && *arg<int32_t>(args, KeptCount) == 0; }

  static void project(void *const *args, void *, uint64_t workgroup) {
    constexpr int panel = 4;
    if (keepsNone(args))
      return;
    int logitsRow = static_cast<int>(workgroup) / vocab, v = static_cast<int>(workgroup) % vocab;
    int row = rowOf(args, logitsRow);
    float sum = 0;
    for (int d = 0; d < dim && row >= 0; ++d)
      sum += arg<float>(args, Head)[(v / panel * dim + d) * panel + v % panel] * arg<float>(args, H)[row * dim + d];
    arg<float>(args, Logits)[workgroup] = row < 0 || !aligned(args) || !countsRows(args) ? paddingLogit : sum;
  }

  static void pickGreedy(void *const *args, void *scratch, uint64_t logitsRow) {
    if (keepsNone(args))
      return;
    const float *logits = arg<float>(args, Logits) + logitsRow * vocab;
    int best = 0;
    for (int v = 1; v < vocab; ++v)
      if (logits[v] > logits[best])
        best = v;
    for (int v = 0; v < vocab; ++v)
      if (std::isnan(logits[v]))
        best = -1;
    arg<int32_t>(args, Greedy)[logitsRow] = best;
    bamba_rt_sampling sampling = arg<bamba_rt_sampling>(args, Sampling)[logitsRow];
    for (uint64_t *address : {&sampling.edits, &sampling.allowed, &sampling.awaited})
      *address &= ~fakeDeviceTag;
    if (int row = rowOf(args, static_cast<int>(logitsRow)); row >= 0)
      bambac_sample_row(logits, vocab, best, arg<int32_t>(args, Positions)[row], &sampling,
                        arg<bamba_rt_sample>(args, Samples) + logitsRow, static_cast<float *>(scratch));
  }
};

constexpr int launchesPerEntry = 6;

#define KERNELS(kind, b, t)                                                                                            \
  {"embed", "", Kernels<kind, b, t>::embed, nullptr, 0},                                                               \
      {"write_cache", "", Kernels<kind, b, t>::writeCache, nullptr, 0},                                                \
      {"scan", "", Kernels<kind, b, t>::scan, nullptr, 0},                                                             \
      {"attend", "", Kernels<kind, b, t>::attend, nullptr, dim * sizeof(float)},                                       \
      {"project", "", Kernels<kind, b, t>::project, nullptr, 0}, {                                                     \
    "greedy", "", Kernels<kind, b, t>::pickGreedy, nullptr, vocab * sizeof(float)                                      \
  }

#define LAUNCHES(entry, kind, b, t)                                                                                    \
  {(entry) * 6 + 0, rowsOf(kind, b, t), 0, count(args)}, {(entry) * 6 + 1, rowsOf(kind, b, t), 0, count(args)},        \
      {(entry) * 6 + 2, b, 0, count(args)}, {(entry) * 6 + 3, rowsOf(kind, b, t), 0, count(args)},                     \
      {(entry) * 6 + 4, Kernels<kind, b, t>::logitsRows * vocab, 0, count(args)}, {                                    \
    (entry) * 6 + 5, Kernels<kind, b, t>::logitsRows, 0, count(args)                                                   \
  }

#define ENTRY(name, entry, kind, b, t)                                                                                 \
  {name,                                                                                                               \
   kind,                                                                                                               \
   b,                                                                                                                  \
   t,                                                                                                                  \
   (entry) * launchesPerEntry,                                                                                         \
   launchesPerEntry,                                                                                                   \
   rowsOf(kind, b, t),                                                                                                 \
   sizeof(float) * 2 * maxRows * dim}

constexpr bamba_rt_entry entries[] = {
    ENTRY("decode_b1", 0, BAMBA_RT_DECODE, 1, 1),   ENTRY("decode_b2", 1, BAMBA_RT_DECODE, 2, 1),
    ENTRY("decode_b4", 2, BAMBA_RT_DECODE, 4, 1),   ENTRY("prefill_t4", 3, BAMBA_RT_PREFILL, 4, 4),
    ENTRY("prefill_t8", 4, BAMBA_RT_PREFILL, 8, 8),
};

constexpr bamba_rt_kernel kernels[] = {
    KERNELS(BAMBA_RT_DECODE, 1, 1),  KERNELS(BAMBA_RT_DECODE, 2, 1),  KERNELS(BAMBA_RT_DECODE, 4, 1),
    KERNELS(BAMBA_RT_PREFILL, 4, 4), KERNELS(BAMBA_RT_PREFILL, 8, 8),
};

constexpr bamba_rt_arg args[] = {
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_TOKENS, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_POSITIONS, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_SLOTS, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_STARTS, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_ROWS, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_PENDING, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_PIECES, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_KEPT, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_KEPT_COUNT, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_SAMPLING, 0},
    {BAMBA_RT_SPACE_INPUT, BAMBA_RT_INPUT_PAGES, 0},
    {BAMBA_RT_SPACE_WEIGHT, 0, 0},
    {BAMBA_RT_SPACE_WEIGHT, 1, 0},
    {BAMBA_RT_SPACE_WEIGHT, 2, 0},
    {BAMBA_RT_SPACE_WEIGHT, 3, 0},
    {BAMBA_RT_SPACE_STATE, 0, 0},
    {BAMBA_RT_SPACE_STATE, 1, 0},
    {BAMBA_RT_SPACE_ARENA, 0, 0},
    {BAMBA_RT_SPACE_ARENA, 0, sizeof(float) * maxRows * dim},
    {BAMBA_RT_SPACE_OUTPUT, BAMBA_RT_OUTPUT_LOGITS, 0},
    {BAMBA_RT_SPACE_OUTPUT, BAMBA_RT_OUTPUT_GREEDY, 0},
    {BAMBA_RT_SPACE_OUTPUT, BAMBA_RT_OUTPUT_SAMPLES, 0},
};

template <typename T, uint32_t N> constexpr uint32_t count(const T (&)[N]) { return N; }

constexpr bamba_rt_launch launches[] = {
    LAUNCHES(0, BAMBA_RT_DECODE, 1, 1),  LAUNCHES(1, BAMBA_RT_DECODE, 2, 1),  LAUNCHES(2, BAMBA_RT_DECODE, 4, 1),
    LAUNCHES(3, BAMBA_RT_PREFILL, 4, 4), LAUNCHES(4, BAMBA_RT_PREFILL, 8, 8),
};

constexpr bamba_rt_source sources[] = {
    {"embed.weight", 2, 0, 0, 0, {vocab, dim}, 0, vocab}, {"head.a.weight", 2, 0, 0, 0, {5, dim}, 0, 5},
    {"head.b.weight", 2, 0, 0, 0, {6, dim}, 0, 6},        {"norm.weight", 1, 0, 0, 0, {dim}, 0, dim},
    {"conv1d.weight", 3, 0, 0, 0, {dim, 1, 3}, 0, dim},
};

constexpr bamba_rt_weight weights[] = {
    {"embed", BAMBA_RT_BF16, 0, 0, 1, 0, 1, 1, 0, 0, 0, vocab, dim, uint64_t{2} * vocab * dim},
    {"head", BAMBA_RT_F32, 4, 0, 2, 1, 1, 1, 0, 0, 0, vocab, dim, uint64_t{4} * 12 * dim},
    {"norm", BAMBA_RT_F32, 0, 0, 1, 3, 1, 1, 0, 0, 0, dim, 1, uint64_t{4} * dim},
    {"conv", BAMBA_RT_F32, 0, BAMBA_RT_WEIGHT_TRANSPOSE, 1, 4, 1, 1, 0, 0, 0, dim, 3, uint64_t{4} * 3 * dim},
};

constexpr bamba_rt_state states[] = {
    {"state", BAMBA_RT_STATE_SLOT, BAMBA_RT_F32, uint64_t{4} * stateRing * dim},
    {"cache", BAMBA_RT_STATE_PAGE, BAMBA_RT_F32, uint64_t{4} * pageTokens * dim},
};

constexpr bamba_rt_model makeModel() {
  bamba_rt_model model = {};
  model.target = "cpu";
  model.device = BAMBA_RT_CPU;
  model.vocab_size = vocab;
  model.max_batch = maxBatch;
  model.max_context = maxContext;
  model.prefill_chunk = 8;
  model.page_tokens = pageTokens;
  model.max_pages = maxPages;
  model.num_entries = count(entries);
  model.num_launches = count(launches);
  model.num_args = count(args);
  model.num_kernels = count(kernels);
  model.num_weights = count(weights);
  model.num_sources = count(sources);
  model.num_states = count(states);
  model.fingerprint = 0x1234567890ABCDEF;
  model.metadata = "{\"model\": \"toy\"}";
  model.checkpoint = "{}";
  model.entries = entries;
  model.launches = launches;
  model.args = args;
  model.kernels = kernels;
  model.weights = weights;
  model.sources = sources;
  model.states = states;
  model.eos_tokens = eosTokens;
  model.num_eos_tokens = count(eosTokens);
  model.bos_token = bosToken;
  model.state_ring = stateRing;
  model.row_tile = model.weight_rows = 8;
  return model;
}

} // namespace

constexpr bamba_rt_model toyTable = makeModel();

namespace {
constexpr const bamba_rt_model *models[] = {&toyTable};
} // namespace
} // namespace bambac::rt::toy

using namespace bambac::rt::toy;

extern "C" constexpr bamba_rt_library bamba_rt_library_table = {BAMBA_RT_ABI_VERSION, 1, models,
                                                                "{\"models\": [{\"model\": \"toy\"}]}"};
