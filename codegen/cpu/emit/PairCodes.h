// Codes of e4m3 as pairs of bf16, which hold every number of e4m3.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_PAIRCODES_H
#define BAMBAC_CODEGEN_CPU_EMIT_PAIRCODES_H

#include "codegen/cpu/emit/Emitter.h"

namespace bambac::codegen {

/// Pairs that one load of codes has: those of as many outputs, of two columns each.
inline constexpr int64_t kCodePairs = 32;

/// The numbers of 64 codes, in two vectors of pairs. The pairs are in another order than the codes; see orderPairs().
/// Codes of NaN become numbers.
std::pair<Value, Value> decodePairs(Emitter &emitter, Value codes);

/// Sums for each pair of decodePairs(), of both vectors one after the other, in the order of the codes.
Value orderPairs(Emitter &emitter, Value sums);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_PAIRCODES_H
