/* The integer types of the contract's headers. NVRTC has no <stdint.h>, and takes these headers too. */
#ifndef BAMBA_RUNTIME_CONTRACT_INTEGERS_H
#define BAMBA_RUNTIME_CONTRACT_INTEGERS_H

#ifdef __CUDACC_RTC__
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

#endif /* BAMBA_RUNTIME_CONTRACT_INTEGERS_H */
