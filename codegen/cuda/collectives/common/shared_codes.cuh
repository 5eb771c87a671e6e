// The input of a linear whose rows become codes in the linear's kernel: each row once, in one of the blocks, for all of
// them.
//
// Blocks make parts of the rows, say so by a bit of the workspace for each, and wait for the bits of all. Those that
// make them are as many as a device has multiprocessors; but there may be no room for one beside other kernels. So who
// has waited for long makes what is missing, part by part: what two blocks store is the same.
#pragma once
#include "common/async.cuh"
#include "common/quantize_row.cuh"

namespace bambac {

/// Shape: that of QuantizeRow. Source: the rows in memory. To the collective it is an input of codes; what it has to do
/// with them stands in common/linear_input.cuh.
template <class Shape, class Source> class SharedCodes {
public:
  using Element = e4m3;
  static constexpr bool kNormalizes = false, kSharesCodes = true;
  static constexpr int kStride = Shape::kColumns;
  static constexpr int kSharedBytes = geometry::sharedCodesBytes(Shape::kColumns, Shape::kGroup);
  static_assert(Shape::kFixedScales == 0, "scales that are known need no whole row");

  e4m3 *data; ///< the codes, [rows, kColumns]
  Source source;
  float *scales; ///< [rows, groups]
  void *workspace;

  /// By all threads, before a barrier of the block, where threads outside of the team await().
  __device__ __forceinline__ void begin() const {
    if (threadIdx.x == 0) {
      initBarrier(ready(), 1);
      fenceBarrierInit();
    }
  }

  /// By all threads of a team, after waitForPredecessors(). All `rows` rows, `Rows` at most, are there for the team
  /// afterwards.
  template <class Team, int Rows, int Blocks> __device__ __forceinline__ void make(int rows) const {
    using Row = QuantizeRow<Shape, Team, kMostKept>;
    constexpr int kParts = geometry::sharedParts(Rows, Blocks, Row::kThreadVectors);
    static_assert(Rows * kParts <= geometry::kMostSharedParts, "a bit for each");
    const int parts = rows * kParts, makers = minOf(blocks(), multiprocessors());
    int part = block() < makers ? block() : parts, step = makers, looks = kPatientLooks;
    while (true) {
      if (part >= parts) { // its own are made
        part = awaitParts<Team>(parts, looks);
        if (part < 0)
          return;
        step = parts, looks = 1; // from now on what is missing
      }
      makePart<Row, Team, kParts>(part);
      part += step;
    }
  }

  /// By one thread of the team, after make(): tells those that await().
  __device__ __forceinline__ void announce() const { arrive(ready()); }
  /// By threads outside of the team. All rows are there for them afterwards, and for the copies that they start.
  __device__ __forceinline__ void await() const {
    wait(ready(), 0);
    asm volatile("fence.proxy.async.global;" ::: "memory");
  }
  /// By one thread of the block, when all rows are there: it has time until the kernel ends.
  __device__ __forceinline__ void leave() const {
    __threadfence(); // a bit that another block had set as well may still be on its way
    if (atomicAdd(counters() + kLeft, 1u) + 1 != uint32(blocks()))
      return;
    __threadfence();
    for (int i = 0; i <= kWords; ++i)
      counters()[i] = 0;
  }

private:
  /// Columns of a row that a thread keeps: of 128 registers, the fewest that teams have, since nothing else is in them
  /// yet.
  static constexpr int kMostKept = 112;
  static constexpr int kWords = geometry::kMostSharedParts / 32;
  static_assert(kWords <= 32, "a lane each");
  /// Some 50 us, for a look takes 0.7. Parts take 1 to 2 us, and a block has eight where rows are as many as can be.
  static constexpr int kPatientLooks = 64;

  /// The counters of the workspace: a bit for each part that is made, and the blocks that have left.
  __device__ __forceinline__ uint32 *counters() const { return static_cast<uint32 *>(workspace) + kCodesCounter; }
  static constexpr int kLeft = kWords;
  static __device__ __forceinline__ int blocks() { return gridDim.x * gridDim.y * gridDim.z; }
  static __device__ __forceinline__ int block() {
    return blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  }

  /// The address of the barrier for those that await().
  static __device__ __forceinline__ uint32 ready() {
    __shared__ uint64 barrier;
    return sharedAddress(&barrier);
  }
  /// More than there are, if the numbers of some are left out.
  static __device__ __forceinline__ int multiprocessors() {
    int count;
    asm("mov.u32 %0, %%nsmid;" : "=r"(count));
    return count;
  }

  template <class Row, class Team, int Parts> __device__ __forceinline__ void makePart(int part) const {
    Row row;
    row.begin(source);
    row.template run<Parts>(source, part / Parts, nullptr, Rows<e4m3, kStride>{data}, scales, part % Parts);
    Team::sync(); // all of the part is stored
    if (Team::thread() == 0)
      orRelease(counters() + part / 32, 1u << part % 32);
  }

  /// -1 when all parts are made; after `looks` looks, one that is not: blocks begin to search in different places.
  template <class Team> __device__ __forceinline__ int awaitParts(int parts, int looks) const {
    __shared__ int missing;
    if (Team::thread() < 32) {
      const int found = searchParts(Team::thread(), parts, looks);
      if (Team::thread() == 0)
        missing = found;
    }
    Team::sync();
    return missing;
  }

  /// By one warp, a word of bits for each lane.
  __device__ __forceinline__ int searchParts(int lane, int parts, int looks) const {
    const int first = lane * 32;
    const uint32 all = parts >= first + 32 ? ~0u : parts > first ? (1u << (parts - first)) - 1 : 0u;
    uint32 missing;
    do {
      missing = all & ~(lane < kWords ? loadAcquire(counters() + lane) : 0u);
    } while (__any_sync(0xffffffffu, missing != 0) && --looks > 0);
    if (!__any_sync(0xffffffffu, missing != 0))
      return -1;
    const int start = block() % parts;
    int distance = parts; // of this lane's next missing part from there
    for (uint32 rest = missing; rest; rest &= rest - 1)
      distance = minOf(distance, (first + __ffs(rest) - 1 - start + parts) % parts);
    distance = __reduce_min_sync(0xffffffffu, distance);
    return (start + distance) % parts;
  }
};

} // namespace bambac
