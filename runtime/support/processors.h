// How many threads this process can run at a time.
#ifndef BAMBA_RUNTIME_SUPPORT_PROCESSORS_H
#define BAMBA_RUNTIME_SUPPORT_PROCESSORS_H

namespace bambac::rt {

/// More threads than any machine has; a larger number is a mistake.
inline constexpr unsigned maxThreads = 4096;

/// Processors that this process may use; at least 1.
unsigned availableProcessors();

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_PROCESSORS_H
