// What the geometry headers share: arithmetic, the fields of a schedule, the limits of a device, and why a schedule is
// not legal.
//
// A geometry header says how one collective uses a device: tiles, threads, blocks, shared memory, registers, counters.
// The compiler's host side and the collective itself include the same header, so that a schedule that the host calls
// legal compiles. It holds plain constexpr C++17, which NVRTC and the host's compiler both read.
#pragma once

#ifdef __CUDACC__
#define BAMBAC_HOST_DEVICE __host__ __device__
#else
#define BAMBAC_HOST_DEVICE
#endif

namespace bambac::geometry {

BAMBAC_HOST_DEVICE constexpr int ceilDiv(int value, int divisor) { return (value + divisor - 1) / divisor; }
BAMBAC_HOST_DEVICE constexpr int alignTo(int value, int multiple) { return ceilDiv(value, multiple) * multiple; }
BAMBAC_HOST_DEVICE constexpr int minOf(int a, int b) { return a < b ? a : b; }
BAMBAC_HOST_DEVICE constexpr int maxOf(int a, int b) { return a > b ? a : b; }

/// Stands in a kernel's shape for a size that its launches say: code must not follow from it.
inline constexpr int kAnySize = 1 << 24;
/// A size for checks: a launch that says it repeats them with its own.
BAMBAC_HOST_DEVICE constexpr int knownSize(int size) { return size == kAnySize ? 1 : size; }

/// The largest power of two, at most `limit`, that divides `count`.
BAMBAC_HOST_DEVICE constexpr int dividingVector(int limit, int count) {
  while (limit > 1 && count % limit)
    limit /= 2;
  return limit;
}

/// Numbers of the tiles of pieces with `rows` rows in all, at most (common/pieces.cuh): each piece may add one.
BAMBAC_HOST_DEVICE constexpr int mostPieceTiles(int pieces, int rows, int tileRows) {
  return ceilDiv(rows, tileRows) + pieces - 1;
}

/// Rows of one mma.sync m16n8k16, columns of its other operand, and its depth.
inline constexpr int kMmaRows = 16, kMmaColumns = 8, kMmaDepth = 16;
/// Columns of the depth in one stage of a product: 128 bytes, what one row of a swizzled tensor copy holds.
inline constexpr int kTileDepth = 64;
/// Tiles that are split, at most: one for each block, as many of which as there are multiprocessors.
inline constexpr int kMostSplitTiles = 511;
/// The last counters of a workspace: one for each of them, and one for the tiles that blocks have taken.
inline constexpr int kTileCounters = kMostSplitTiles + 1;
/// Before them are those of rows that become codes for all blocks of a kernel: a bit for each part of a row, and a
/// number. Those of an epilogue are the first.
inline constexpr int kMostSharedParts = 1024;
inline constexpr int kCodesCounters = 64;
static_assert(kMostSharedParts / 32 + 1 <= kCodesCounters);
/// Bytes of the two mbarriers of a stage, full and empty.
inline constexpr int kStageBarrierBytes = 16;
/// Registers that a thread can have, and those of a multiprocessor.
inline constexpr int kThreadRegisters = 255, kMultiprocessorRegisters = 65536;

/// Registers of each thread where `blocks` blocks of `threads` threads share a multiprocessor.
BAMBAC_HOST_DEVICE constexpr int registersPerThread(int threads, int blocks) {
  return minOf(kThreadRegisters, kMultiprocessorRegisters / (threads * blocks) / 8 * 8);
}

/// Registers of a thread of each of `consumers` multiplying warpgroups, of those that a block starts with where
/// `blocks` of them shall fit on a multiprocessor, when another warpgroup keeps `loading` a thread. Two consumers fill
/// it alone: 128 * (40 + 2 * 232) = 64512 of 65536.
BAMBAC_HOST_DEVICE constexpr int consumerRegisters(int consumers, int blocks, int loading) {
  constexpr int kMost = 232;
  const int all = (1 + consumers) * registersPerThread(128 * (1 + consumers), blocks);
  return minOf(kMost, (all - loading) / consumers / 8 * 8);
}

/// What a device gives a block, and how much of it there is.
struct Limits {
  int sharedBytes;     ///< shared memory of one block
  int multiprocessors; ///< of the device
  int counters;        ///< zeroed 32-bit counters at the start of the workspace
};

/// The most that a field of a schedule may say, so that products are integers, unless shapes limit it first or it is
/// never multiplied.
inline constexpr int kMostFieldSize = 1024;

/// One field of a schedule: its name in the IR and in schedule files, and where its value goes.
template <class Schedule> struct Field {
  const char *name;
  int Schedule::*value;
  int least = 1; ///< 0 where a schedule may do without
  int most = kMostFieldSize;
};

/// Why a schedule is not legal: `what` is expected to be `relation` `limit`, and is `found`. No `what`: it is legal.
struct Fault {
  enum Relation { AtMost, AtLeast, MultipleOf, DivisorOf, Exactly };
  const char *what = nullptr;
  Relation relation = AtMost;
  int limit = 0, found = 0;
  BAMBAC_HOST_DEVICE constexpr bool isLegal() const { return what == nullptr; }
};

/// Collects the first fault of a schedule.
class Check {
public:
  BAMBAC_HOST_DEVICE constexpr Check &atMost(const char *what, int limit, int found) {
    return test(found <= limit, what, Fault::AtMost, limit, found);
  }
  BAMBAC_HOST_DEVICE constexpr Check &atLeast(const char *what, int limit, int found) {
    return test(found >= limit, what, Fault::AtLeast, limit, found);
  }
  BAMBAC_HOST_DEVICE constexpr Check &multipleOf(const char *what, int limit, int found) {
    return test(found > 0 && found % limit == 0, what, Fault::MultipleOf, limit, found);
  }
  BAMBAC_HOST_DEVICE constexpr Check &divisorOf(const char *what, int limit, int found) {
    return test(found > 0 && limit % found == 0, what, Fault::DivisorOf, limit, found);
  }
  BAMBAC_HOST_DEVICE constexpr Check &exactly(const char *what, int limit, int found) {
    return test(found == limit, what, Fault::Exactly, limit, found);
  }
  /// False after the first fault: what follows may rely on all that was checked.
  BAMBAC_HOST_DEVICE constexpr bool isLegal() const { return fault.isLegal(); }
  BAMBAC_HOST_DEVICE constexpr Fault result() const { return fault; }

private:
  BAMBAC_HOST_DEVICE constexpr Check &test(bool holds, const char *what, Fault::Relation relation, int limit,
                                           int found) {
    if (fault.isLegal() && !holds) {
      fault.what = what;
      fault.relation = relation;
      fault.limit = limit;
      fault.found = found;
    }
    return *this;
  }

  Fault fault;
};

/// What faults of several collectives are about.
inline constexpr const char *kSharedBytesText = "bytes of shared memory";
inline constexpr const char *kRegistersText = "registers a thread";
inline constexpr const char *kCountersText = "counters";

} // namespace bambac::geometry
