// Numbers of e4m3 in f32 vector code: rounding to them, and their codes in memory.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_CODES_H
#define BAMBAC_CODEGEN_CPU_EMIT_CODES_H

#include "codegen/cpu/emit/Emitter.h"

namespace bambac::codegen {

/// What halfOfCodes() is to be multiplied with: the difference of the exponents' biases of f16 and e4m3.
inline constexpr double kHalfOfCode = 256.0;

/// The nearest numbers of e4m3, ties to even, of a scalar or vector of f32; what is beyond the largest becomes that.
/// NaN stays NaN.
Value roundToE4m3(Emitter &emitter, Value value);

/// Codes (f8E4M3FN) as f32, each divided by kHalfOfCode. Codes of NaN become numbers.
Value halfOfCodes(Emitter &emitter, Value codes);

/// Codes as f32, NaN as NaN.
Value decodeE4m3(Emitter &emitter, Value codes);

/// The codes of the nearest numbers.
Value encodeE4m3(Emitter &emitter, Value value);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_CODES_H
