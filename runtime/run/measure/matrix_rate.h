// Measures how fast this machine can multiply f32 matrices.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_MATRIX_RATE_H
#define BAMBAC_RUNTIME_RUN_MEASURE_MATRIX_RATE_H

#include <optional>

namespace bambac::measure {

/// Operations a second of a register-blocked matmul whose operands stay in each core's own caches: what the fused
/// multiply-add units can do.
double measureMatrixRate(unsigned threads);

/// Operations a second of OpenBLAS's sgemm on square matrices of 1024; nothing where the machine has no OpenBLAS.
std::optional<double> measureBlasRate(unsigned threads);

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_MATRIX_RATE_H
