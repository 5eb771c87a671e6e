/* What an entry point takes and gives: the arrays that the runtime writes before a step, and those that the step
 * leaves. Both sides go by these lists: the compiler in the signature of an entry point, the runtime in its tables.
 */
#ifndef BAMBA_RUNTIME_CONTRACT_ENTRY_POINTS_H
#define BAMBA_RUNTIME_CONTRACT_ENTRY_POINTS_H

#include "runtime/contract/element_types.h"

/* The shape of an input or output. A step has up to R rows, a token each, in up to P pieces: runs of tokens of
 * different sequences. Rows lie one after another without gaps, piece after piece; what is not there comes last. In a
 * decode step P = R and each row is a piece. K is the most rows of logits that the entry point can keep: R for decode,
 * which keeps all of them, else as bamba_rt_entry says. */
enum bamba_rt_shape {
  BAMBA_RT_SHAPE_ROWS,     /* [R] */
  BAMBA_RT_SHAPE_PIECES,   /* [P] */
  BAMBA_RT_SHAPE_STARTS,   /* [P + 1] */
  BAMBA_RT_SHAPE_ONE,      /* [1] */
  BAMBA_RT_SHAPE_PAGES,    /* [P, max_pages] */
  BAMBA_RT_SHAPE_KEPT,     /* [K] */
  BAMBA_RT_SHAPE_LOGITS,   /* [K, vocab_size] */
  BAMBA_RT_SHAPE_SAMPLING, /* [K, BAMBA_RT_SAMPLING_WORDS] */
  BAMBA_RT_SHAPE_SAMPLES   /* [K, BAMBA_RT_SAMPLE_WORDS] */
};

/* X(enumerator, number, name, element type, shape), by number.
 *
 * tokens     0 in padding rows
 * positions  position of the token in its sequence, -1 in padding rows
 * slots      state slot; the spare slot `slots` for pieces that are not there
 * starts     first row of each piece, then the end of the last; the number of rows for pieces that are not there
 * rows       how many of the R rows are there
 * pending    tokens of the sequence that its SSM states do not hold yet, since they wait in rings (state_ring of
 *            bamba_rt_model); 0 for pieces that are not there
 * pieces     the piece of each row, 0 in padding rows
 * kept       numbers of the rows whose logits are kept, in the order of the logits; decode keeps all and does not read
 *            it
 * kept_count how many of the K numbers are there, none as well
 * sampling   a bamba_rt_sampling (sampling.h) for each kept row
 * pages      KV pages of the sequence in order, -1 beyond the last; anything for pieces that are not there
 *
 * Pieces of one row come first. */
#define BAMBA_RT_INPUTS(X)                                                                                             \
  X(TOKENS, 0, "tokens", I32, ROWS)                                                                                    \
  X(POSITIONS, 1, "positions", I32, ROWS)                                                                              \
  X(SLOTS, 2, "slots", I32, PIECES)                                                                                    \
  X(STARTS, 3, "starts", I32, STARTS)                                                                                  \
  X(ROWS, 4, "rows", I32, ONE)                                                                                         \
  X(PENDING, 5, "pending", I32, PIECES)                                                                                \
  X(PIECES, 6, "pieces", I32, ROWS)                                                                                    \
  X(KEPT, 7, "kept", I32, KEPT)                                                                                        \
  X(KEPT_COUNT, 8, "kept_count", I32, ONE)                                                                             \
  X(SAMPLING, 9, "sampling", I32, SAMPLING)                                                                            \
  X(PAGES, 10, "pages", I32, PAGES)

/* logits     of each kept row
 * greedy     the most likely token of each kept row
 * samples    a bamba_rt_sample (sampling.h) of each kept row, as far as its parameters ask for one
 *
 * Of the logits, kernels write and read no row after the last kept one, rounded up to BAMBA_RT_KEPT_GRANULE rows or to
 * K where that is less; where none is kept, they write and read none. There is no memory for other rows. */
#define BAMBA_RT_KEPT_GRANULE 32
#define BAMBA_RT_OUTPUTS(X)                                                                                            \
  X(LOGITS, 0, "logits", F32, LOGITS)                                                                                  \
  X(GREEDY, 1, "greedy", I32, KEPT)                                                                                    \
  X(SAMPLES, 2, "samples", I32, SAMPLES)

enum bamba_rt_input {
#define BAMBA_RT_ENUMERATOR(enumerator, number, ...) BAMBA_RT_INPUT_##enumerator = number,
  BAMBA_RT_INPUTS(BAMBA_RT_ENUMERATOR)
#undef BAMBA_RT_ENUMERATOR
      BAMBA_RT_NUM_INPUTS
};

enum bamba_rt_output {
#define BAMBA_RT_ENUMERATOR(enumerator, number, ...) BAMBA_RT_OUTPUT_##enumerator = number,
  BAMBA_RT_OUTPUTS(BAMBA_RT_ENUMERATOR)
#undef BAMBA_RT_ENUMERATOR
      BAMBA_RT_NUM_OUTPUTS
};

#if defined(__cplusplus) && !defined(__CUDACC_RTC__)
namespace bambac::contract {

/// An input or output of an entry point.
struct EntryArray {
  uint32_t number;
  std::string_view name;
  bamba_rt_dtype type;
  bamba_rt_shape shape;
};

#define BAMBA_RT_ENTRY_ARRAY(enumerator, number, name, type, shape)                                                    \
  {number, name, BAMBA_RT_##type, BAMBA_RT_SHAPE_##shape},
inline constexpr EntryArray kInputs[] = {BAMBA_RT_INPUTS(BAMBA_RT_ENTRY_ARRAY)};
inline constexpr EntryArray kOutputs[] = {BAMBA_RT_OUTPUTS(BAMBA_RT_ENTRY_ARRAY)};
#undef BAMBA_RT_ENTRY_ARRAY

/// True where each array stands at its number.
template <unsigned long size> constexpr bool isByNumber(const EntryArray (&arrays)[size]) {
  for (unsigned long i = 0; i < size; ++i)
    if (arrays[i].number != i)
      return false;
  return true;
}
static_assert(isByNumber(kInputs) && isByNumber(kOutputs), "the lists are in the order of the numbers");

} // namespace bambac::contract
#endif

#endif /* BAMBA_RUNTIME_CONTRACT_ENTRY_POINTS_H */
