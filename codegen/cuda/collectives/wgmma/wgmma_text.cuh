// The text of the warpgroup matrix instruction for the headers that define it, as macros: an asm statement cannot have
// as many operands as a template says.
#pragma once
#include "wgmma/wgmma.cuh"

// The instruction names its sums one by one: BAMBAC_NAMES_N are their numbers among the operands of the asm statement,
// BAMBAC_SUMS_N the operands. Three others come first, as read-write ones though they are only read, so that the sums
// have the same numbers whatever N is.
// clang-format off
#define BAMBAC_SUMS(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3])
#define BAMBAC_NAMES_8 "%3, %4, %5, %6"
#define BAMBAC_NAMES_16 BAMBAC_NAMES_8 ", %7, %8, %9, %10"
#define BAMBAC_NAMES_24 BAMBAC_NAMES_16 ", %11, %12, %13, %14"
#define BAMBAC_NAMES_32 BAMBAC_NAMES_24 ", %15, %16, %17, %18"
#define BAMBAC_NAMES_40 BAMBAC_NAMES_32 ", %19, %20, %21, %22"
#define BAMBAC_NAMES_48 BAMBAC_NAMES_40 ", %23, %24, %25, %26"
#define BAMBAC_NAMES_56 BAMBAC_NAMES_48 ", %27, %28, %29, %30"
#define BAMBAC_NAMES_64 BAMBAC_NAMES_56 ", %31, %32, %33, %34"
#define BAMBAC_NAMES_72 BAMBAC_NAMES_64 ", %35, %36, %37, %38"
#define BAMBAC_NAMES_80 BAMBAC_NAMES_72 ", %39, %40, %41, %42"
#define BAMBAC_NAMES_88 BAMBAC_NAMES_80 ", %43, %44, %45, %46"
#define BAMBAC_NAMES_96 BAMBAC_NAMES_88 ", %47, %48, %49, %50"
#define BAMBAC_NAMES_104 BAMBAC_NAMES_96 ", %51, %52, %53, %54"
#define BAMBAC_NAMES_112 BAMBAC_NAMES_104 ", %55, %56, %57, %58"
#define BAMBAC_NAMES_120 BAMBAC_NAMES_112 ", %59, %60, %61, %62"
#define BAMBAC_NAMES_128 BAMBAC_NAMES_120 ", %63, %64, %65, %66"
#define BAMBAC_NAMES_136 BAMBAC_NAMES_128 ", %67, %68, %69, %70"
#define BAMBAC_NAMES_144 BAMBAC_NAMES_136 ", %71, %72, %73, %74"
#define BAMBAC_NAMES_152 BAMBAC_NAMES_144 ", %75, %76, %77, %78"
#define BAMBAC_NAMES_160 BAMBAC_NAMES_152 ", %79, %80, %81, %82"
#define BAMBAC_NAMES_168 BAMBAC_NAMES_160 ", %83, %84, %85, %86"
#define BAMBAC_NAMES_176 BAMBAC_NAMES_168 ", %87, %88, %89, %90"
#define BAMBAC_NAMES_184 BAMBAC_NAMES_176 ", %91, %92, %93, %94"
#define BAMBAC_NAMES_192 BAMBAC_NAMES_184 ", %95, %96, %97, %98"
#define BAMBAC_NAMES_200 BAMBAC_NAMES_192 ", %99, %100, %101, %102"
#define BAMBAC_NAMES_208 BAMBAC_NAMES_200 ", %103, %104, %105, %106"
#define BAMBAC_NAMES_216 BAMBAC_NAMES_208 ", %107, %108, %109, %110"
#define BAMBAC_NAMES_224 BAMBAC_NAMES_216 ", %111, %112, %113, %114"
#define BAMBAC_NAMES_232 BAMBAC_NAMES_224 ", %115, %116, %117, %118"
#define BAMBAC_NAMES_240 BAMBAC_NAMES_232 ", %119, %120, %121, %122"
#define BAMBAC_NAMES_248 BAMBAC_NAMES_240 ", %123, %124, %125, %126"
#define BAMBAC_NAMES_256 BAMBAC_NAMES_248 ", %127, %128, %129, %130"
#define BAMBAC_SUMS_8 BAMBAC_SUMS(0)
#define BAMBAC_SUMS_16 BAMBAC_SUMS_8, BAMBAC_SUMS(4)
#define BAMBAC_SUMS_24 BAMBAC_SUMS_16, BAMBAC_SUMS(8)
#define BAMBAC_SUMS_32 BAMBAC_SUMS_24, BAMBAC_SUMS(12)
#define BAMBAC_SUMS_40 BAMBAC_SUMS_32, BAMBAC_SUMS(16)
#define BAMBAC_SUMS_48 BAMBAC_SUMS_40, BAMBAC_SUMS(20)
#define BAMBAC_SUMS_56 BAMBAC_SUMS_48, BAMBAC_SUMS(24)
#define BAMBAC_SUMS_64 BAMBAC_SUMS_56, BAMBAC_SUMS(28)
#define BAMBAC_SUMS_72 BAMBAC_SUMS_64, BAMBAC_SUMS(32)
#define BAMBAC_SUMS_80 BAMBAC_SUMS_72, BAMBAC_SUMS(36)
#define BAMBAC_SUMS_88 BAMBAC_SUMS_80, BAMBAC_SUMS(40)
#define BAMBAC_SUMS_96 BAMBAC_SUMS_88, BAMBAC_SUMS(44)
#define BAMBAC_SUMS_104 BAMBAC_SUMS_96, BAMBAC_SUMS(48)
#define BAMBAC_SUMS_112 BAMBAC_SUMS_104, BAMBAC_SUMS(52)
#define BAMBAC_SUMS_120 BAMBAC_SUMS_112, BAMBAC_SUMS(56)
#define BAMBAC_SUMS_128 BAMBAC_SUMS_120, BAMBAC_SUMS(60)
#define BAMBAC_SUMS_136 BAMBAC_SUMS_128, BAMBAC_SUMS(64)
#define BAMBAC_SUMS_144 BAMBAC_SUMS_136, BAMBAC_SUMS(68)
#define BAMBAC_SUMS_152 BAMBAC_SUMS_144, BAMBAC_SUMS(72)
#define BAMBAC_SUMS_160 BAMBAC_SUMS_152, BAMBAC_SUMS(76)
#define BAMBAC_SUMS_168 BAMBAC_SUMS_160, BAMBAC_SUMS(80)
#define BAMBAC_SUMS_176 BAMBAC_SUMS_168, BAMBAC_SUMS(84)
#define BAMBAC_SUMS_184 BAMBAC_SUMS_176, BAMBAC_SUMS(88)
#define BAMBAC_SUMS_192 BAMBAC_SUMS_184, BAMBAC_SUMS(92)
#define BAMBAC_SUMS_200 BAMBAC_SUMS_192, BAMBAC_SUMS(96)
#define BAMBAC_SUMS_208 BAMBAC_SUMS_200, BAMBAC_SUMS(100)
#define BAMBAC_SUMS_216 BAMBAC_SUMS_208, BAMBAC_SUMS(104)
#define BAMBAC_SUMS_224 BAMBAC_SUMS_216, BAMBAC_SUMS(108)
#define BAMBAC_SUMS_232 BAMBAC_SUMS_224, BAMBAC_SUMS(112)
#define BAMBAC_SUMS_240 BAMBAC_SUMS_232, BAMBAC_SUMS(116)
#define BAMBAC_SUMS_248 BAMBAC_SUMS_240, BAMBAC_SUMS(120)
#define BAMBAC_SUMS_256 BAMBAC_SUMS_248, BAMBAC_SUMS(124)
// clang-format on

/// Wgmma of a type of which `depth` elements are 32 bytes. `major` are the instruction's last operands where it has a
/// choice: both K-major.
#define BAMBAC_WGMMA(n, type, depth, major)                                                                            \
  template <> struct Wgmma<n, type> {                                                                                  \
    static __device__ __forceinline__ void run(float (&sums)[n / 2], uint64 a, uint64 b, int accumulate = 1) {         \
      asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %2, 0;\n\t"                                                   \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k" #depth ".f32." #type "." #type " {" BAMBAC_NAMES_##n     \
                   "}, %0, %1, p, 1, 1" major ";\n\t}"                                                                 \
                   : "+l"(a), "+l"(b), "+r"(accumulate), BAMBAC_SUMS_##n);                                             \
    }                                                                                                                  \
  };

// clang-format off
/// The same for all numbers of columns.
#define BAMBAC_WGMMA_ALL(...)                                                                                          \
  BAMBAC_WGMMA(8, __VA_ARGS__) BAMBAC_WGMMA(16, __VA_ARGS__) BAMBAC_WGMMA(24, __VA_ARGS__)                             \
  BAMBAC_WGMMA(32, __VA_ARGS__) BAMBAC_WGMMA(40, __VA_ARGS__) BAMBAC_WGMMA(48, __VA_ARGS__)                            \
  BAMBAC_WGMMA(56, __VA_ARGS__) BAMBAC_WGMMA(64, __VA_ARGS__) BAMBAC_WGMMA(72, __VA_ARGS__)                            \
  BAMBAC_WGMMA(80, __VA_ARGS__) BAMBAC_WGMMA(88, __VA_ARGS__) BAMBAC_WGMMA(96, __VA_ARGS__)                            \
  BAMBAC_WGMMA(104, __VA_ARGS__) BAMBAC_WGMMA(112, __VA_ARGS__) BAMBAC_WGMMA(120, __VA_ARGS__)                         \
  BAMBAC_WGMMA(128, __VA_ARGS__) BAMBAC_WGMMA(136, __VA_ARGS__) BAMBAC_WGMMA(144, __VA_ARGS__)                         \
  BAMBAC_WGMMA(152, __VA_ARGS__) BAMBAC_WGMMA(160, __VA_ARGS__) BAMBAC_WGMMA(168, __VA_ARGS__)                         \
  BAMBAC_WGMMA(176, __VA_ARGS__) BAMBAC_WGMMA(184, __VA_ARGS__) BAMBAC_WGMMA(192, __VA_ARGS__)                         \
  BAMBAC_WGMMA(200, __VA_ARGS__) BAMBAC_WGMMA(208, __VA_ARGS__) BAMBAC_WGMMA(216, __VA_ARGS__)                         \
  BAMBAC_WGMMA(224, __VA_ARGS__) BAMBAC_WGMMA(232, __VA_ARGS__) BAMBAC_WGMMA(240, __VA_ARGS__)                         \
  BAMBAC_WGMMA(248, __VA_ARGS__) BAMBAC_WGMMA(256, __VA_ARGS__)
// clang-format on
