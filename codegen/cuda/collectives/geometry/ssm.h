// The collectives of the state space recurrence: mma/ssm_scan and wgmma/ssm_scan (a run of tokens), common/ssm_step
// (one token).
#pragma once
#include "geometry/geometry.h"

namespace bambac::geometry {

struct SsmShape {
  int pieces, rows; ///< in all
  int heads, headDim, stateSize, groups;
  int stateBytes; ///< of one element of the state
  int entries;    ///< of the state ring; 0: there is none
};

/// Blocks that share the pieces of each of `slices` slices: as many as there are multiprocessors for. Each takes the
/// pieces in turns, one after another, so that unequal pieces cost what their chunks cost.
BAMBAC_HOST_DEVICE constexpr int pieceGroups(int pieces, int slices, int multiprocessors) {
  return maxOf(1, minOf(pieces, multiprocessors / maxOf(slices, 1)));
}

/// Tokens of a chunk whose decays two registers of each lane hold.
inline constexpr int kMaxChunk = 64;

namespace mma {

/// A block walks the chunks of a slice of a head's channels; the state stays in registers.
struct Scan {
  int chunk; ///< tokens of a chunk

  using Shape = SsmShape;
  static constexpr const char *kCollective = "mma/ssm_scan";
  static constexpr Field<Scan> kFields[] = {{"chunk", &Scan::chunk}};
  static constexpr int kMaxState = 256, kWidestSlice = 64;
  static constexpr int kStages = 3;        ///< of B and C: copied, scored, consumed
  static constexpr int kResultStride = 20; ///< floats from token to token of a warp's staged results

  BAMBAC_HOST_DEVICE static constexpr int paddedState(const SsmShape &shape) {
    return alignTo(shape.stateSize, kMmaRows);
  }
  BAMBAC_HOST_DEVICE static constexpr int blocksWith(const SsmShape &shape, int channels) {
    return ceilDiv(shape.headDim, channels) * shape.heads;
  }
  /// Channels of a block: up to 64, fewer while every block still has a multiprocessor for itself.
  BAMBAC_HOST_DEVICE static constexpr int channels(const SsmShape &shape, const Limits &limits) {
    int count = alignTo(ceilDiv(shape.headDim, ceilDiv(shape.headDim, kWidestSlice)), kMmaRows);
    while (count % (2 * kMmaRows) == 0 && blocksWith(shape, count / 2) <= limits.multiprocessors)
      count /= 2;
    return count;
  }
  BAMBAC_HOST_DEVICE static constexpr int stateWarps(const SsmShape &shape, const Limits &limits) {
    return channels(shape, limits) / kMmaRows;
  }
  BAMBAC_HOST_DEVICE constexpr int scoreWarps() const { return chunk / kMmaRows; }

  /// Bytes of a tile of a chunk's tokens: rows an odd number of 16-byte units apart.
  BAMBAC_HOST_DEVICE constexpr int tileBytes(int columns) const { return chunk * (columns + 8) * 2; }
  BAMBAC_HOST_DEVICE constexpr int stageBytes(const SsmShape &shape) const { return 2 * tileBytes(paddedState(shape)); }
  BAMBAC_HOST_DEVICE constexpr int factorBytes() const { return 2 * chunk * 4; }
  BAMBAC_HOST_DEVICE constexpr int resultBytes() const { return chunk * kResultStride * 4; } ///< of a warp
  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const SsmShape &shape, const Limits &limits) const {
    return kStages * stageBytes(shape) + 2 * tileBytes(channels(shape, limits)) + 2 * tileBytes(chunk) +
           2 * factorBytes() + stateWarps(shape, limits) * resultBytes();
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const SsmShape &shape, const Limits &limits) const {
    Check check;
    check.atMost("elements of a channel's state", kMaxState, paddedState(shape))
        .multipleOf("chunk", kMmaRows, chunk)
        .atMost("chunk", minOf(kMaxChunk, alignTo(shape.rows, kMmaRows)), chunk);
    if (check.isLegal())
      check.atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape, limits));
    return check.result();
  }
};

} // namespace mma

namespace wgmma {

/// Four warpgroups share the chunks of a slice of 64 channels. There is nothing to choose: a chunk is the 64 rows of an
/// instruction.
struct Scan {
  using Shape = SsmShape;
  static constexpr const char *kCollective = "wgmma/ssm_scan";
  static constexpr int kChunk = 64, kChannels = 64, kMaxState = 128;
  static constexpr int kStages = 4, kResultGroups = 2;
  static constexpr int kPanelColumns = 64, kPanelBytes = 64 * 128;
  static constexpr int kStagingBytes = 8 * 64 * 4; ///< of a warp of results
  static constexpr int kFactorBytes = 4 * 64 * 4;  ///< of a chunk
  static constexpr int kThreads = 128 * (2 + kResultGroups);

  BAMBAC_HOST_DEVICE static constexpr int panels(const SsmShape &shape) {
    return ceilDiv(shape.stateSize, kPanelColumns);
  }
  BAMBAC_HOST_DEVICE static constexpr int stateBytes(const SsmShape &shape) { return panels(shape) * kPanelBytes; }
  BAMBAC_HOST_DEVICE static constexpr int stageBytes(const SsmShape &shape) {
    return 2 * stateBytes(shape) + kPanelBytes; // B, C, X
  }
  BAMBAC_HOST_DEVICE static constexpr int sharedBytes(const SsmShape &shape) {
    return kStages * stageBytes(shape) + kResultGroups * stateBytes(shape) + kResultGroups * 4 * kStagingBytes +
           kStages * kFactorBytes + (2 * kStages + 2 * kResultGroups) * 8;
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const SsmShape &shape, const Limits &limits) const {
    Check check;
    check.atMost("elements of a channel's state", kMaxState, shape.stateSize);
    if (check.isLegal())
      check.atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape));
    return check.result();
  }
};

} // namespace wgmma

/// A block takes a tile of channels of one sequence: a part of a head, or some heads that share B and C. The tile's
/// rows of the state come to shared memory; the lanes of a warp lie along a row, and a thread takes some rows at a
/// time.
struct SsmStep {
  int threads;     ///< of a block
  int channelTile; ///< channels of a block

  using Shape = SsmShape;
  static constexpr const char *kCollective = "common/ssm_step";
  static constexpr Field<SsmStep> kFields[] = {{"threads", &SsmStep::threads},
                                               {"channel_tile", &SsmStep::channelTile, 1, kAnySize}};
  /// Elements of the state that a thread takes at a time, and those that it can take where a row has more.
  static constexpr int kPassElements = 32, kMaxElements = 64;
  /// Elements of a row of codes that tensor cores multiply, at most: sums of 127 * 128 * (256 + 1) fit an int.
  static constexpr int kMostMultiplied = 512;
  static constexpr int kChunk = 16, kGroupChunks = 8; ///< codes of a lane, and how many chunks lie along a warp
  /// Of the state in shared memory. A bulk copy needs 16, but takes a seventh longer to a place that has no more.
  static constexpr int kStateAlignment = 128;
  /// Shared memory that a kernel can declare, on every device.
  static constexpr int kMostDeclaredBytes = 48 * 1024;

  BAMBAC_HOST_DEVICE constexpr int tile(const SsmShape &shape) const {
    return minOf(channelTile, shape.heads * shape.headDim);
  }
  BAMBAC_HOST_DEVICE constexpr int tileHeads(const SsmShape &shape) const {
    return maxOf(tile(shape) / shape.headDim, 1);
  }
  /// Neighbouring elements of the state that a lane reads at once.
  BAMBAC_HOST_DEVICE static constexpr int vector(const SsmShape &shape) {
    return dividingVector(16 / shape.stateBytes, shape.stateSize);
  }
  BAMBAC_HOST_DEVICE static constexpr int rowVectors(const SsmShape &shape) { return shape.stateSize / vector(shape); }
  /// Lanes along the state.
  BAMBAC_HOST_DEVICE static constexpr int lanes(const SsmShape &shape) {
    int count = 1;
    while (count < rowVectors(shape) && count < 32)
      count *= 2;
    return count;
  }
  BAMBAC_HOST_DEVICE static constexpr int laneVectors(const SsmShape &shape) {
    return ceilDiv(rowVectors(shape), lanes(shape));
  }
  BAMBAC_HOST_DEVICE constexpr int rowGroups(const SsmShape &shape) const { return threads / lanes(shape); }
  /// Rows that a thread takes at a time.
  BAMBAC_HOST_DEVICE constexpr int threadRows(const SsmShape &shape) const {
    int wanted = kPassElements / (laneVectors(shape) * vector(shape));
    return minOf(ceilDiv(tile(shape), rowGroups(shape)), maxOf(wanted, 1));
  }
  BAMBAC_HOST_DEVICE constexpr int passes(const SsmShape &shape) const {
    return ceilDiv(tile(shape), rowGroups(shape) * threadRows(shape));
  }
  BAMBAC_HOST_DEVICE constexpr int elements(const SsmShape &shape) const {
    return threadRows(shape) * laneVectors(shape) * vector(shape);
  }
  /// Whether tensor cores multiply the rows of the state: codes in whole chunks.
  BAMBAC_HOST_DEVICE static constexpr bool isMultiplied(const SsmShape &shape) {
    return shape.stateBytes == 1 && shape.stateSize % kChunk == 0 && shape.stateSize <= kMostMultiplied;
  }
  /// Chunks of a row that a lane has.
  BAMBAC_HOST_DEVICE static constexpr int chunkGroups(const SsmShape &shape) {
    return ceilDiv(shape.stateSize / kChunk, kGroupChunks);
  }
  /// Threads of a multiprocessor: registers suffice for as many. Where a state of codes is written, a thread has the
  /// chunks of two rows as numbers.
  BAMBAC_HOST_DEVICE static constexpr int residentThreads(const SsmShape &shape) {
    constexpr int kRegisters = 65536, kFew = 64, kBesideNumbers = 48;
    return kRegisters / (isMultiplied(shape) ? kBesideNumbers + 2 * kChunk * chunkGroups(shape) : kFew);
  }
  BAMBAC_HOST_DEVICE constexpr int stateBytes(const SsmShape &shape) const {
    return alignTo(tile(shape) * shape.stateSize * shape.stateBytes, 16);
  }
  /// From entry to entry of the ring: B and x. Tensor cores take several entries at once, in vectors of 16 bytes: for
  /// them entries are whole vectors and one more, so that they lie in other banks of memory.
  BAMBAC_HOST_DEVICE constexpr int entryElements(const SsmShape &shape) const {
    int all = shape.stateSize + tile(shape);
    return isMultiplied(shape) ? alignTo(all, 8) + 8 : all;
  }
  /// What a block declares besides the state: B, C and x as f32, the state's barrier and scales, results, C as digits,
  /// entries of 16 bits (where they are multiplied, the new token among them) and what each head needs of them.
  BAMBAC_HOST_DEVICE constexpr int inputBytes(const SsmShape &shape) const {
    bool isCoded = shape.stateBytes == 1;
    int length = shape.entries + 1, room = isMultiplied(shape) ? length : shape.entries;
    int digits = 3 * (isCoded ? maxOf(shape.stateSize, 16) : 16);
    return 4 * (2 * shape.stateSize + (isCoded ? 3 : 2) * tile(shape)) + alignTo(digits, 4) + 48 +
           alignTo(2 * room * entryElements(shape), 16) + alignTo(4 * (tileHeads(shape) * (length + 3) + length), 16);
  }
  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const SsmShape &shape) const {
    return stateBytes(shape) + alignTo(inputBytes(shape), kStateAlignment);
  }

  BAMBAC_HOST_DEVICE constexpr int blocks(const SsmShape &shape) const { ///< of a sequence
    return shape.heads / tileHeads(shape) * ceilDiv(shape.headDim, tile(shape));
  }
  /// Those of all sequences. In 64 bits, since a launch may be of kAnySize.
  BAMBAC_HOST_DEVICE constexpr long long allBlocks(const SsmShape &shape, int sequences) const {
    return static_cast<long long>(blocks(shape)) * sequences;
  }
  /// Blocks that a multiprocessor has at a time.
  BAMBAC_HOST_DEVICE constexpr int residents(const SsmShape &shape, const Limits &limits) const {
    return maxOf(1, minOf(residentThreads(shape) / threads, limits.sharedBytes / sharedBytes(shape)));
  }
  /// Blocks that the device has at a time: a round of a launch.
  BAMBAC_HOST_DEVICE constexpr int roundBlocks(const SsmShape &shape, const Limits &limits) const {
    return residents(shape, limits) * limits.multiprocessors;
  }
  /// Whether neighbouring blocks of a launch are those of several sequences: with a state ring, where the device takes
  /// all blocks in kMixedRounds rounds. Some sequences write their states, and all of their blocks would be the work of
  /// a few multiprocessors, those which the kernel before leaves first. In more rounds blocks balance by themselves,
  /// and writes that come together are faster.
  static constexpr int kMixedRounds = 2;
  BAMBAC_HOST_DEVICE constexpr bool mixesSequences(const SsmShape &shape, const Limits &limits, int sequences) const {
    const int most = kMixedRounds * roundBlocks(shape, limits);
    return shape.entries > 0 && allBlocks(shape, sequences) <= most;
  }
  /// Dynamic shared memory of a block. To write codes takes more instructions than memory: where a round has room for
  /// more blocks than there are, blocks ask for so much that each multiprocessor has its share of them.
  BAMBAC_HOST_DEVICE constexpr int dynamicBytes(const SsmShape &shape, const Limits &limits, int sequences) const {
    constexpr int kBlockBytes = 1024; // of a multiprocessor's memory for each of its blocks
    const long long all = allBlocks(shape, sequences);
    const int most = (residents(shape, limits) - 1) * limits.multiprocessors;
    if (shape.stateBytes > 1 || all > most)
      return stateBytes(shape);
    const int share = ceilDiv(static_cast<int>(all), limits.multiprocessors);
    const int bytes = (limits.sharedBytes + kBlockBytes) / share - kBlockBytes - inputBytes(shape);
    return maxOf(stateBytes(shape), bytes / kStateAlignment * kStateAlignment);
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const SsmShape &shape, const Limits &limits) const {
    Check check;
    check.multipleOf("threads", 32, threads)
        .atMost("threads", 1024, threads)
        .atLeast("channel_tile", 1, channelTile)
        .atMost("channel_tile", shape.heads / shape.groups * shape.headDim, channelTile);
    if (check.isLegal() && channelTile > shape.headDim)
      check.multipleOf("channel_tile", shape.headDim, channelTile)
          .divisorOf("heads of a tile", shape.heads / shape.groups, tileHeads(shape));
    if (check.isLegal())
      check.atMost("elements of the state a thread", kMaxElements, elements(shape))
          .atMost("bytes of inputs and entries", kMostDeclaredBytes, inputBytes(shape))
          .atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape));
    return check.result();
  }
};

/// The same tiles for what waits in a ring.
struct SsmFold : SsmStep {
  static constexpr const char *kCollective = "common/ssm_fold";
  static constexpr Field<SsmFold> kFields[] = {{"threads", &SsmFold::threads},
                                               {"channel_tile", &SsmFold::channelTile, 1, kAnySize}};
};

} // namespace bambac::geometry
