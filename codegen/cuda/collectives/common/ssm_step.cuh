// One token of the selective state space recurrence (Dao and Gu, "Transformers are SSMs", the recurrent form):
//   S = S exp(delta A) + delta x B,  y = sum_n S C + D x.
//
// A block owns a tile of channels of one head of one sequence. Its part of the state, [channels, kStateSize], is one
// run of memory: all of it is under way in registers while the convolution of the inputs and delta are computed, and is
// written back in place. The lanes of a warp lie along the state index; the sums over it are exchanged so that each
// step halves the number of rows a lane still sums. With a ring (common/ssm_ring.cuh) the state is written back only
// when the ring is full. A state of codes (common/coded_state.cuh) has one.
#pragma once
#include "common/coded_state.cuh"
#include "common/launch.cuh"
#include "common/row_sums.cuh"
#include "common/ssm_inputs.cuh"
#include "common/ssm_ring.cuh"
#include "geometry/ssm.h"

namespace bambac {

/// Shape: kBatch, kHeads, kHeadDim, kStateSize, kGroups, kTaps and kConvRing (for ConvolvedInput), kDtMin, kDtMax,
/// kInputVector (the widest vector for which the input's views are aligned); the fields of geometry::SsmStep.
template <class Shape, class State, class Ring = NoRing> struct SsmStep {
  static constexpr geometry::SsmShape kShape = {Shape::kBatch,     1, Shape::kHeads, Shape::kHeadDim, Shape::kStateSize,
                                                int(sizeof(State))};
  static constexpr geometry::SsmStep kGeometry = {Shape::kThreads, Shape::kChannelTile};
  static_assert(kGeometry.legal(kShape, {}).isLegal(), "the schedule is legal");
  static constexpr int kThreads = Shape::kThreads, kTile = kGeometry.tile(kShape);
  static constexpr int kTiles = ceilDiv(Shape::kHeadDim, kTile);
  static constexpr int kHeadDim = Shape::kHeadDim, kStateSize = Shape::kStateSize;

  // The state: a lane has kLaneVectors vectors of each of kThreadRows rows, kRowGroups rows apart.
  static constexpr int kVector = kGeometry.vector(kShape), kRowVectors = kGeometry.rowVectors(kShape);
  static constexpr int kLanes = kGeometry.lanes(kShape), kLaneVectors = kGeometry.laneVectors(kShape);
  static constexpr int kRowGroups = kGeometry.rowGroups(kShape), kThreadRows = kGeometry.threadRows(kShape);

  // The inputs B | C | x, staged as f32: as wide as alignment allows, and no wider than it needs for a single round.
  static constexpr int kStaged = 2 * kStateSize + kTile;
  static __host__ __device__ constexpr int chooseInputVector() {
    int limit = minOf(dividingVector(minOf(Shape::kInputVector, 4), kStateSize),
                      minOf(dividingVector(4, kTile), dividingVector(4, kHeadDim)));
    int width = 1;
    while (width < limit && kStaged > kThreads * width)
      width *= 2;
    return width;
  }
  static constexpr int kInputVector = chooseInputVector();
  static constexpr int kRounds = ceilDiv(kStaged / kInputVector, kThreads);

  // What is held in registers until the state arrives decides how many blocks fit on a multiprocessor.
  static constexpr bool kHasRing = Ring::kLength > 0;
  static_assert(kHasRing || !kIsCoded<State>, "codes are rounded when a ring is full, not at each token");
  static constexpr int kHeldRegisters = kGeometry.elements(kShape) + kRounds * kInputVector * (2 * Shape::kTaps + 1);
  static constexpr int kMinBlocks = maxOf(1, (kHasRing                                    ? kGeometry.kRingThreads
                                              : kHeldRegisters <= kGeometry.kFewRegisters ? kGeometry.kManyThreads
                                                                                          : kGeometry.kFewThreads) /
                                                 kThreads);
  /// Rows that are under way while the inputs are convolved. With a ring the others come after it, so that the
  /// registers of both are for more blocks.
  static constexpr int kEarlyRows = kHasRing ? ceilDiv(kThreadRows, 2) : kThreadRows;
  static constexpr Launch kLaunch = {Shape::kHeads * kTiles, Shape::kBatch, 1, kThreads, 1, 0, 1, 0};
  /// Sequences that a block of a fold looks after: one a lane.
  static constexpr int kFolded = 32;
  static constexpr Launch kFoldLaunch = {
      Shape::kHeads * kTiles, ceilDiv(Shape::kBatch, kFolded), 1, kThreads, 1, 0, 1, 0};

  /// dt: rows [kBatch, kHeads]; aLog, d, dtBias: [kHeads]; state: [slots, kHeads, kHeadDim, kStateSize]; scales of a
  /// state of codes: [slots, kHeads, kHeadDim]. epilogue.store(sequence, head * kHeadDim + channel, y).
  template <class Input, class Dt, class Epilogue>
  static __device__ __forceinline__ void run(const Input &input, Dt dt, const float *aLog, const float *d,
                                             const float *dtBias, const int *slots, State *state,
                                             const Epilogue &epilogue, const Ring &ring = {}, float *scales = nullptr) {
    __shared__ alignas(16) float staged[kStaged];
    __shared__ float sums[kTile];
    launchDependents();
    const Block block;
    typename Input::template Piece<kInputVector> pieces[kRounds];
    forEachPiece(block, [&](int round, const SsmChannels &channels, int) {
      input.template prefetch<kInputVector>(channels, pieces[round]);
    });
    const float rate = -expf(aLog[block.head]), skip = d[block.head], timeBias = dtBias[block.head];
    waitForPredecessors();

    State *tile = tileOf(block, state, slots);
    const EpilogueTile<Epilogue> results(block, epilogue);
    forEachPiece(block, [&](int round, const SsmChannels &channels, int) {
      input.template load<kInputVector>(channels, pieces[round]);
    });
    LoadedState loaded;
    loadState<0, kEarlyRows>(block, tile, loaded);
    float *tileScales = scalesOf(block, scales, slots);
    loadScales(block, tileScales, loaded);
    [[maybe_unused]] const auto waiting = loadRing(block, ring);
    const float delta = clampDelta(softplus(toFloat(dt[block.sequence][block.head]) + timeBias));
    forEachPiece(block, [&](int round, const SsmChannels &channels, int offset) {
      input.template stage<kInputVector>(channels, pieces[round], staged + offset);
    });
    loadState<kEarlyRows, kThreadRows>(block, tile, loaded);
    float rowSums[kThreadRows];
    if constexpr (kHasRing) {
      typename RingOf::Shared &entries = sharedEntries();
      waiting.stage(entries, rate, delta);
      __syncthreads();
      if (waiting.isFull()) {
        writeFolded(block, waiting, entries, loaded, tile, tileScales, delta, staged, rowSums);
      } else {
        waiting.multiply(entries, staged, staged + kStateSize, delta);
        keepEntry(block, staged, delta, ring);
        sumState(block, staged + kStateSize, entries.decay, loaded, rowSums);
      }
      finishSums(block, rowSums, staged + 2 * kStateSize, skip, sums);
      __syncthreads();
      if (!waiting.isFull())
        addEntries(block, waiting, entries, staged + 2 * kStateSize, sums);
    } else {
      __syncthreads();
      update(block, staged, expf(delta * rate), delta, tile, loaded, rowSums);
      finishSums(block, rowSums, staged + 2 * kStateSize, skip, sums);
    }
    __syncthreads();
    results.store(block, epilogue, sums);
  }

  /// Takes the state of each sequence over the entries that wait, so that what follows may begin with it.
  static __device__ __forceinline__ void fold(const float *aLog, const int *slots, State *state, const Ring &ring,
                                              float *scales) {
    launchDependents();
    Block block;
    const float rate = -expf(aLog[block.head]);
    const int first = blockIdx.y * kFolded, own = first + threadIdx.x % 32;
    waitForPredecessors();
    uint32 waiting = __ballot_sync(0xffffffffu, own < Shape::kBatch && ring.waitingOf(own) > 0);
    for (; waiting != 0; waiting &= waiting - 1) {
      block.sequence = first + __ffs(waiting) - 1;
      foldSequence(block, rate, slots, state, scales, ring);
      __syncthreads(); // the entries in shared memory are read
    }
  }

private:
  /// The part of the problem that this thread's block owns.
  struct Block {
    int sequence = blockIdx.y, head = blockIdx.x / kTiles, firstChannel = blockIdx.x % kTiles * kTile;
    int channels = minOf(kTile, kHeadDim - firstChannel);
    int group = head / (Shape::kHeads / Shape::kGroups);
    /// The first of the blocks that share B and C.
    bool isFirstOfGroup = head % (Shape::kHeads / Shape::kGroups) == 0 && firstChannel == 0;
    int lane = threadIdx.x % kLanes, rowGroup = threadIdx.x / kLanes;

    __device__ __forceinline__ Block() {}
    __device__ __forceinline__ bool hasRow(int i) const {
      return (kHeadDim % kTile == 0 && kTile % kRowGroups == 0) || rowGroup + i * kRowGroups < channels;
    }
    __device__ __forceinline__ bool hasVector(int v) const {
      return kRowVectors % kLanes == 0 || lane + v * kLanes < kRowVectors;
    }
    __device__ __forceinline__ int offsetOf(int i, int v) const {
      return (rowGroup + i * kRowGroups) * kStateSize + (lane + v * kLanes) * kVector;
    }
  };

  /// Calls `function(round, channels, offset)` for the inputs that this thread stages: `offset` in B | C | x.
  template <class Function> static __device__ __forceinline__ void forEachPiece(const Block &block, Function function) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int offset = (threadIdx.x + round * kThreads) * kInputVector;
      if (offset >= 2 * kStateSize + block.channels)
        continue;
      SsmChannels channels{block.sequence, SsmChannels::kX,
                           block.head * kHeadDim + block.firstChannel + offset - 2 * kStateSize, true};
      if (offset < 2 * kStateSize) {
        const bool isB = offset < kStateSize;
        channels = {block.sequence, isB ? SsmChannels::kB : SsmChannels::kC,
                    block.group * kStateSize + offset - (isB ? 0 : kStateSize), block.isFirstOfGroup};
      }
      function(round, channels, offset);
    }
  }

  /// min(max(delta, kDtMin), kDtMax), and NaN for NaN.
  static __device__ __forceinline__ float clampDelta(float delta) {
    delta = delta < Shape::kDtMin ? Shape::kDtMin : delta;
    return delta > Shape::kDtMax ? Shape::kDtMax : delta;
  }

  /// The block's part of the state.
  static __device__ __forceinline__ State *tileOf(const Block &block, State *state, const int *slots) {
    return state +
           (static_cast<long long>(slots[block.sequence]) * Shape::kHeads + block.head) * kHeadDim * kStateSize +
           block.firstChannel * kStateSize;
  }

  /// The scales of a state of codes there.
  static __device__ __forceinline__ float *scalesOf(const Block &block, float *scales, const int *slots) {
    if constexpr (kIsCoded<State>)
      return scales + (static_cast<long long>(slots[block.sequence]) * Shape::kHeads + block.head) * kHeadDim +
             block.firstChannel;
    else
      return nullptr;
  }

  /// What a thread has of the state, as it lies in memory.
  struct LoadedState {
    RawVector<State, kVector> vectors[kThreadRows][kLaneVectors];
    float scales[kIsCoded<State> ? kThreadRows : 1];

    __device__ __forceinline__ float scaleOf(int i) const {
      if constexpr (kIsCoded<State>)
        return scales[i];
      else
        return 1.0f;
    }
  };
  static __device__ __forceinline__ void loadScales(const Block &block, const float *tileScales, LoadedState &loaded) {
    if constexpr (kIsCoded<State>)
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i)
        loaded.scales[i] = block.hasRow(i) ? tileScales[block.rowGroup + i * kRowGroups] : 0.0f;
  }
  /// The rows from `First` to `Last`.
  template <int First, int Last>
  static __device__ __forceinline__ void loadState(const Block &block, const State *tile, LoadedState &loaded) {
    forEachVector(block, [&](int i, int v) {
      if (i >= First && i < Last)
        loaded.vectors[i][v] = loadRawStreaming<kVector>(tile + block.offsetOf(i, v));
    });
  }

  /// Calls `function(i, v)` for the thread's vectors of the state, those of a row of the state's lanes one after
  /// another.
  template <class Function>
  static __device__ __forceinline__ void forEachVector(const Block &block, const Function &function) {
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v)
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i)
        if (block.hasRow(i) && block.hasVector(v))
          function(i, v);
  }

  /// Writes the thread's rows of the state: `compute(i, v, values)` gives a vector's elements.
  template <class Compute>
  static __device__ __forceinline__ void writeState(const Block &block, State *tile, float *tileScales,
                                                    const Compute &compute) {
    if constexpr (!kIsCoded<State>) {
      forEachVector(block, [&](int i, int v) {
        float values[kVector];
        compute(i, v, values);
        storeStreaming<kVector>(tile + block.offsetOf(i, v), values);
      });
      return;
    } else {
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i) { // all lanes take part in each
        float values[kLaneVectors][kVector] = {}, most = 0.0f;
#pragma unroll
        for (int v = 0; v < kLaneVectors; ++v)
          if (block.hasRow(i) && block.hasVector(v)) {
            compute(i, v, values[v]);
#pragma unroll
            for (int k = 0; k < kVector; ++k)
              most = largerMagnitude(most, values[v][k]);
          }
        const CodeScale scale(laneMagnitude<1, kLanes>(most));
        if (!block.hasRow(i))
          continue;
        if (block.lane == 0)
          tileScales[block.rowGroup + i * kRowGroups] = scale.scale;
#pragma unroll
        for (int v = 0; v < kLaneVectors; ++v)
          if (block.hasVector(v))
            storeCodes(tile + block.offsetOf(i, v), values[v], scale);
      }
    }
  }

  /// Updates the state and leaves each row's sum over this lane's part of it in `rowSums`.
  static __device__ __forceinline__ void update(const Block &block, const float *staged, float decay, float delta,
                                                State *tile, const LoadedState &loaded, float (&rowSums)[kThreadRows]) {
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i)
      rowSums[i] = 0.0f;
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v) {
      if (!block.hasVector(v))
        continue;
      float b[kVector], c[kVector];
      loadVector(staged + (block.lane + v * kLanes) * kVector, b);
      loadVector(staged + kStateSize + (block.lane + v * kLanes) * kVector, c);
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i) {
        if (!block.hasRow(i))
          continue;
        const float scaled = delta * staged[2 * kStateSize + block.rowGroup + i * kRowGroups];
        float values[kVector];
#pragma unroll
        for (int k = 0; k < kVector; ++k) {
          values[k] = loaded.vectors[i][v][k] * decay + scaled * b[k];
          rowSums[i] += values[k] * c[k];
        }
        storeStreaming<kVector>(tile + block.offsetOf(i, v), values);
      }
    }
  }

  // --- with a ring ------------------------------------------------------------------------------------------------

  using RingOf = RingTile<Shape, Ring, kTile, kThreads>;

  static __device__ __forceinline__ auto &sharedEntries() {
    __shared__ typename RingOf::Shared entries;
    return entries;
  }

  static __device__ __forceinline__ auto loadRing(const Block &block, const Ring &ring) {
    if constexpr (kHasRing)
      return RingOf(ring, sharedEntries(), block.sequence, block.group, block.head, block.firstChannel, block.channels);
    else
      return ring;
  }

  /// exp(a) S C: what the entries and the new token add comes later.
  static __device__ __forceinline__ void sumState(const Block &block, const float *shared, float decay,
                                                  const LoadedState &loaded, float (&rowSums)[kThreadRows]) {
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i)
      rowSums[i] = 0.0f;
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v) {
      if (!block.hasVector(v))
        continue;
      float c[kVector];
      loadVector(shared + (block.lane + v * kLanes) * kVector, c);
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i)
        if (block.hasRow(i))
#pragma unroll
          for (int k = 0; k < kVector; ++k)
            rowSums[i] += loaded.vectors[i][v][k] * c[k];
    }
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i)
      rowSums[i] *= decay * loaded.scaleOf(i);
  }

  /// A vector of the state after the waiting entries.
  static __device__ __forceinline__ void foldVector(const Block &block, const RingOf &waiting,
                                                    const typename RingOf::Shared &entries, const LoadedState &loaded,
                                                    int i, int v, float (&values)[kVector]) {
    const float decay = entries.decay * loaded.scaleOf(i);
#pragma unroll
    for (int k = 0; k < kVector; ++k)
      values[k] = loaded.vectors[i][v][k] * decay;
#pragma unroll 1
    for (int entry = 0; entry < waiting.count(); ++entry) {
      float b[kVector];
      RingOf::loadB(entries, entry, (block.lane + v * kLanes) * kVector, b);
      const float scaled = entries.weights[entry] * RingOf::inputOf(entries, entry, block.rowGroup + i * kRowGroups);
#pragma unroll
      for (int k = 0; k < kVector; ++k)
        values[k] += scaled * b[k];
    }
  }

  /// Writes the state after the waiting entries and the new token, and leaves the sums with C in `rowSums`.
  static __device__ __forceinline__ void writeFolded(const Block &block, const RingOf &waiting,
                                                     const typename RingOf::Shared &entries, const LoadedState &loaded,
                                                     State *tile, float *tileScales, float delta, const float *staged,
                                                     float (&rowSums)[kThreadRows]) {
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i)
      rowSums[i] = 0.0f;
    writeState(block, tile, tileScales, [&](int i, int v, float (&values)[kVector]) {
      foldVector(block, waiting, entries, loaded, i, v, values);
      const float scaled = delta * staged[2 * kStateSize + block.rowGroup + i * kRowGroups];
      const float *b = staged + (block.lane + v * kLanes) * kVector;
#pragma unroll
      for (int k = 0; k < kVector; ++k) {
        values[k] += scaled * b[k];
        rowSums[i] += values[k] * b[kStateSize + k];
      }
    });
  }

  static __device__ __forceinline__ void foldSequence(const Block &block, float rate, const int *slots, State *state,
                                                      float *scales, const Ring &ring) {
    const auto waiting = loadRing(block, ring);
    State *tile = tileOf(block, state, slots);
    float *tileScales = scalesOf(block, scales, slots);
    LoadedState loaded;
    loadState<0, kThreadRows>(block, tile, loaded);
    loadScales(block, tileScales, loaded);
    waiting.stage(sharedEntries(), rate, 0.0f);
    __syncthreads();
    writeState(block, tile, tileScales, [&](int i, int v, float (&values)[kVector]) {
      foldVector(block, waiting, sharedEntries(), loaded, i, v, values);
    });
  }

  /// The new token as an entry of the ring.
  static __device__ __forceinline__ void keepEntry(const Block &block, const float *staged, float delta,
                                                   const Ring &ring) {
    const long long row = ring.rowOf(block.sequence, ring.waitingOf(block.sequence));
    auto *entry = ring.inputs + row * Ring::kColumns;
    using Operand = typename Shape::Operand;
    for (int i = threadIdx.x; i < block.channels; i += kThreads)
      entry[block.head * kHeadDim + block.firstChannel + i] = fromFloat<Operand>(staged[2 * kStateSize + i]);
    for (int n = threadIdx.x; block.isFirstOfGroup && n < kStateSize; n += kThreads)
      entry[Ring::kX + block.group * kStateSize + n] = fromFloat<Operand>(staged[n]);
    if (block.firstChannel == 0 && threadIdx.x == 0)
      ring.deltas[row * Shape::kHeads + block.head] = delta;
  }

  static __device__ __forceinline__ void addEntries(const Block &block, const RingOf &waiting,
                                                    const typename RingOf::Shared &entries, const float *x,
                                                    float *sums) {
    for (int channel = threadIdx.x; channel < block.channels; channel += kThreads)
      sums[channel] += waiting.resultOf(entries, channel, x[channel]);
  }

  /// y of each channel of the tile, in shared memory.
  static __device__ __forceinline__ void finishSums(const Block &block, float (&rowSums)[kThreadRows], const float *x,
                                                    float skip, float *sums) {
    using Sums = RowSums<kThreadRows, kLanes>;
    constexpr int kCopies = kLanes / (kThreadRows / Sums::kSums); // lanes that end with the same rows
    const int first = Sums::run(rowSums, block.lane);
#pragma unroll
    for (int k = 0; k < Sums::kSums; ++k) {
      const int channel = block.rowGroup + (first + k) * kRowGroups;
      if (block.lane % kCopies == 0 && channel < block.channels)
        sums[channel] = rowSums[k] + skip * x[channel];
    }
  }

  /// The vector of results that a thread hands to the epilogue, and what the epilogue loaded for it early.
  template <class Epilogue> struct EpilogueTile {
    static constexpr int kWidth = kHasRing ? 1 : dividingVector(dividingVector(Epilogue::kVector, kHeadDim), kTile);
    typename Epilogue::template Extra<kWidth> extra;

    __device__ __forceinline__ EpilogueTile(const Block &block, const Epilogue &epilogue) {
      if (isUsed(block))
        extra = epilogue.template load<kWidth>(block.sequence, columnOf(block));
    }
    __device__ __forceinline__ void store(const Block &block, const Epilogue &epilogue, const float *sums) const {
      if (!isUsed(block))
        return;
      float values[kWidth];
#pragma unroll
      for (int k = 0; k < kWidth; ++k)
        values[k] = sums[threadIdx.x * kWidth + k];
      epilogue.template store<kWidth>(block.sequence, columnOf(block), values, extra);
    }
    static __device__ __forceinline__ bool isUsed(const Block &block) {
      return int(threadIdx.x) * kWidth < block.channels;
    }
    static __device__ __forceinline__ int columnOf(const Block &block) {
      return block.head * kHeadDim + block.firstChannel + int(threadIdx.x) * kWidth;
    }
  };
};

} // namespace bambac
