// The pieces of a scan that have one row: one step of the recurrence (common/ssm_step.cuh says which) instead of a
// chunk of products. All threads of a block take part, for the block's slice of channels. Where a thread has little of
// a piece, the state of the next is under way in registers while one is computed.
#pragma once
#include "common/coded_state.cuh"
#include "common/pieces.cuh"
#include "common/row_sums.cuh"
#include "common/row_views.cuh"
#include "common/ssm_chunk.cuh"
#include "common/ssm_slice.cuh"

namespace bambac {

/// Shape, Slice: those of the scan, whose blocks have `Threads` threads and `Channels` channels.
template <class Shape, class State, class Slice, int Threads, int Channels> struct SsmSingles {
  static constexpr geometry::SsmShape kShape = kSsmShape<Shape, State>;
  using Operand = typename Shape::Operand;
  static constexpr int kHeadDim = Shape::kHeadDim, kStateSize = Shape::kStateSize;
  // The lanes of a group lie along the state; a group has neighbouring channels.
  static constexpr int kVector = geometry::SsmStep::vector(kShape), kRowVectors = geometry::SsmStep::rowVectors(kShape);
  static constexpr int kLanes = geometry::SsmStep::lanes(kShape), kLaneVectors = geometry::SsmStep::laneVectors(kShape);
  static constexpr int kGroupRows = ceilDiv(Channels, Threads / kLanes); ///< channels of a group
  /// Registers for two pieces: with more elements of each the assembler spills.
  static constexpr bool kOverlaps = kGroupRows * kLaneVectors * kVector <= 16 && !kIsCoded<State>;

  /// How many pieces of one row come first.
  static __device__ __forceinline__ int count(const int *starts, int pieces) {
    if (!isSingle(starts, 0))
      return 0;
    int singles = 0;
    for (int first = 0; first < pieces; first += Threads) {
      const int piece = first + threadIdx.x;
      singles += __syncthreads_count(piece < pieces && isSingle(starts, piece));
    }
    return singles;
  }

  /// Arguments as the scan has them, after waitForPredecessors(). The block takes its share of the first `singles`
  /// pieces.
  template <class X, class Dt, class B, class C, class Epilogue>
  static __device__ __forceinline__ void run(const Slice &at, int singles, const X &x, const Dt &dt, const B &b,
                                             const C &c, const float *aLog, const float *d, const float *dtBias,
                                             const int *slots, State *state, float *scales, const Epilogue &epilogue) {
    const float rate = -expf(aLog[at.head]), skip = d[at.head], bias = dtBias[at.head];
    using Piece = PieceOf<Epilogue, typename ElementOf<Dt>::Type>;
    auto load = [&](int number, Piece &piece) {
      if (number < singles)
        piece.load(at, number, x, dt, b, c, slots, state, scales);
    };
    auto finish = [&](int number, Piece &piece) {
      if (number < singles)
        piece.finish(at, number, rate, skip, bias, epilogue);
    };
    const int step = gridDim.y;
    Piece even;
    if constexpr (kOverlaps) {
      Piece odd;
      load(blockIdx.y, even);
#pragma unroll 1
      for (int number = blockIdx.y; number < singles; number += 2 * step) {
        load(number + step, odd);
        finish(number, even);
        load(number + 2 * step, even);
        finish(number + step, odd);
      }
    } else {
#pragma unroll 1
      for (int number = blockIdx.y; number < singles; number += step) {
        load(number, even);
        finish(number, even);
      }
    }
  }

private:
  /// The block's channels of the state of a piece.
  static __device__ __forceinline__ State *tileOf(const Slice &at, int number, const int *slots, State *state) {
    return state + (static_cast<long long>(slots[number]) * Shape::kHeads + at.head) * (kHeadDim * kStateSize) +
           at.channel * kStateSize;
  }

  /// What a thread has of one piece. Elements are kept as they lie in memory: to widen one waits for it.
  template <class Epilogue, class Step> struct PieceOf {
    /// Neighbouring results of one access.
    static constexpr int kWidth = dividingVector(dividingVector(Epilogue::kVector, kHeadDim), kGroupRows);

    State *tile;       ///< of the block's channels
    float *tileScales; ///< theirs, of a state of codes
    float scales[kIsCoded<State> ? kGroupRows : 1];
    RawVector<State, kVector> values[kGroupRows][kLaneVectors];
    RawVector<Operand, kVector> b[kLaneVectors], c[kLaneVectors];
    Operand x[kGroupRows];
    Step step;

    static __device__ __forceinline__ int lane() { return threadIdx.x % kLanes; }
    static __device__ __forceinline__ int firstRow() { return threadIdx.x / kLanes * kGroupRows; }
    static __device__ __forceinline__ bool hasRow(const Slice &at, int i) {
      return firstRow() + i < minOf(Channels, kHeadDim - at.channel);
    }
    static __device__ __forceinline__ bool hasVector(int v) {
      return kRowVectors % kLanes == 0 || lane() + v * kLanes < kRowVectors;
    }
    static __device__ __forceinline__ int offsetOf(int i, int v) {
      return (firstRow() + i) * kStateSize + (lane() + v * kLanes) * kVector;
    }

    template <class X, class Dt, class B, class C>
    __device__ __forceinline__ void load(const Slice &at, int row, const X &inputs, const Dt &dt, const B &keys,
                                         const C &queries, const int *slots, State *state, float *stateScales) {
      const int column = at.head * kHeadDim + at.channel + firstRow();
      tile = tileOf(at, row, slots, state);
      if constexpr (kIsCoded<State>) {
        tileScales =
            stateScales + (static_cast<long long>(slots[row]) * Shape::kHeads + at.head) * kHeadDim + at.channel;
#pragma unroll
        for (int i = 0; i < kGroupRows; ++i)
          scales[i] = hasRow(at, i) ? tileScales[firstRow() + i] : 0.0f;
      }
#pragma unroll
      for (int i = 0; i < kGroupRows; ++i)
#pragma unroll
        for (int v = 0; v < kLaneVectors; ++v)
          if (hasRow(at, i) && hasVector(v))
            values[i][v] = loadRawStreaming<kVector>(tile + offsetOf(i, v));
#pragma unroll
      for (int v = 0; v < kLaneVectors; ++v)
        if (hasVector(v)) {
          const int from = at.group * kStateSize + (lane() + v * kLanes) * kVector;
          b[v] = loadOperands(keys[row] + from, B::kStride);
          c[v] = loadOperands(queries[row] + from, C::kStride);
        }
      step = dt[row][at.head];
#pragma unroll
      for (int i = 0; i < kGroupRows; ++i)
        if (hasRow(at, i))
          x[i] = inputs[row][column + i];
    }

    /// Of rows that are `stride` elements apart, as wide as they allow.
    static __device__ __forceinline__ RawVector<Operand, kVector> loadOperands(const Operand *from, int stride) {
      RawVector<Operand, kVector> to;
      if (Shape::kAligned && stride % 8 == 0 && kStateSize % kVector == 0)
        return loadRaw<kVector>(from);
#pragma unroll
      for (int k = 0; k < kVector; ++k)
        to.elements[k] = from[k];
      return to;
    }

    /// A vector of the next state, and what it adds to the row's sum.
    __device__ __forceinline__ void stepVector(int i, int v, float decay, float scaled, float (&next)[kVector],
                                               float &sum) const {
#pragma unroll
      for (int k = 0; k < kVector; ++k) {
        next[k] = values[i][v][k] * decay + scaled * b[v][k];
        sum += next[k] * c[v][k];
      }
    }

    /// The same of a row of codes, which is written. All lanes take part.
    __device__ __forceinline__ void stepCodes(const Slice &at, int i, float decay, float scaled, float &sum) const {
      float next[kLaneVectors][kVector] = {}, most = 0.0f;
#pragma unroll
      for (int v = 0; v < kLaneVectors; ++v)
        if (hasRow(at, i) && hasVector(v)) {
          stepVector(i, v, decay, scaled, next[v], sum);
#pragma unroll
          for (int k = 0; k < kVector; ++k)
            most = largerMagnitude(most, next[v][k]);
        }
      const CodeScale scale(laneMagnitude<1, kLanes>(most));
      if (!hasRow(at, i))
        return;
      if (lane() == 0)
        tileScales[firstRow() + i] = scale.scale;
#pragma unroll
      for (int v = 0; v < kLaneVectors; ++v)
        if constexpr (kIsCoded<State>)
          if (hasVector(v))
            storeCodes(tile + offsetOf(i, v), next[v], scale.inverse);
    }

    __device__ __forceinline__ void finish(const Slice &at, int row, float rate, float skip, float bias,
                                           const Epilogue &epilogue) {
      float delta = softplus(toFloat(step) + bias);
      delta = delta < Shape::kDtMin ? Shape::kDtMin : delta; // NaN stays
      delta = delta > Shape::kDtMax ? Shape::kDtMax : delta;
      const float decay = expf(delta * rate);
      float sums[kGroupRows];
#pragma unroll
      for (int i = 0; i < kGroupRows; ++i) {
        const float scaled = delta * toFloat(x[i]);
        sums[i] = 0.0f;
        if constexpr (kIsCoded<State>) {
          stepCodes(at, i, decay * scales[i], scaled, sums[i]);
          continue;
        }
        if (!hasRow(at, i))
          continue;
#pragma unroll
        for (int v = 0; v < kLaneVectors; ++v) {
          if (!hasVector(v))
            continue;
          float next[kVector];
          stepVector(i, v, decay, scaled, next, sums[i]);
          if constexpr (!kIsCoded<State>)
            storeStreaming<kVector>(tile + offsetOf(i, v), next);
        }
      }
#pragma unroll
      for (int i = 0; i < kGroupRows; ++i)
#pragma unroll
        for (int distance = kLanes / 2; distance > 0; distance /= 2)
          sums[i] += __shfl_xor_sync(0xffffffffu, sums[i], distance);
      if (lane() != 0)
        return;
      const int column = at.head * kHeadDim + at.channel + firstRow();
#pragma unroll
      for (int i = 0; i < kGroupRows; i += kWidth) {
        if (!hasRow(at, i))
          continue;
        float results[kWidth];
#pragma unroll
        for (int k = 0; k < kWidth; ++k)
          results[k] = sums[i + k] + skip * toFloat(x[i + k]);
        // Loaded only now: the registers that it would take are those of the next piece.
        epilogue.template store<kWidth>(row, column + i, results, epilogue.template load<kWidth>(row, column + i));
      }
    }
  };
};

} // namespace bambac
