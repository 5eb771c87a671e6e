// The activations of a skinny linear: each mma warp stages its own slice of every chunk of the depth in shared memory
// and takes it from there as fragments, so that no two warps ever wait for each other.
#pragma once
#include "sm90/async.cuh"

namespace bambac {

/// One mma warp's view of the input. `Geometry` is SkinnyGeometry (sm90/linear_skinny.cuh). Chunks are numbered on over
/// the passes of a block; chunk number n lies in slot n % kSlots. All chunks have a slot of their own where that fits
/// (kResident); otherwise they pass through the slots again in every pass.
template <class Geometry, class Input> class SkinnyInput {
public:
  /// Fragments of A for the kSliceDepth columns of a slice, a step of 16 columns each.
  static constexpr int kSteps = Geometry::kSliceDepth / 16;

  __device__ SkinnyInput(const Input &input, uint8 *slots, int warp, int lane)
      : input(input), warp(warp), lane(lane),
        slices(sharedAddress(slots) + warp * (Geometry::kSlots * Geometry::kSliceBytes)) {
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece)
      squares[piece] = 0.0f;
  }

  /// Brings the norm's weight near: the one thing of the input that does not depend on the kernels before.
  __device__ void prefetchWeight() const {
    if constexpr (Input::kNormalizes)
      for (int chunk = lane / 4; chunk < Geometry::kChunks; chunk += 8) {
        int k = firstColumn(chunk) + lane % 4 * 32; // 128 bytes each
        if (k < Geometry::kDepth)
          asm volatile("prefetch.global.L2 [%0];" ::"l"(input.weight + k));
      }
  }

  /// Fills the slots with the first of all the `chunks` of this block. After waitForPredecessors().
  __device__ void begin(int chunks) {
    if constexpr (!kConverts) {
      for (int number = 0; number < Geometry::kSlots; ++number)
        copySlice(number, chunks);
    } else if constexpr (Geometry::kResident) {
      for (int chunk = 0; chunk < Geometry::kChunks; chunk += kChunksAtOnce)
        convertSlices<kChunksAtOnce>(chunk, chunk);
      __syncwarp();
    }
  }

  /// The fragments of chunk `number`; rows from kRows up repeat the last one, their results are dropped.
  __device__ void load(uint32 (&fragments)[kSteps][4], int number) {
    if constexpr (!kConverts) {
      if constexpr (Geometry::kResident)
        waitCopies<0>();
      else
        waitCopies<Geometry::kSlots - 1>();
      __syncwarp();
    } else if constexpr (!Geometry::kResident) {
      convertSlices<1>(number % Geometry::kChunks, number);
      __syncwarp();
    }
    uint32 from = slice(number) + minOf(lane % 16, Geometry::kRows - 1) * Geometry::kSliceRowBytes + lane / 16 * 16;
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
      ldmatrixX4(fragments[step], from + step * 32);
  }

  /// Chunk `number` is no longer needed: its slot is filled anew.
  __device__ void release(int number, int chunks) {
    if constexpr (!Geometry::kResident) {
      __syncwarp();
      if constexpr (!kConverts)
        copySlice(number + Geometry::kSlots, chunks);
    }
  }

  /// Writes this warp's part of the sums of squares, [warp][16 rows]; all of the first pass has been loaded.
  __device__ void storeSquares(float *to) const {
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      float sum = squares[piece];
#pragma unroll
      for (int mask = 8; mask; mask >>= 1)
        sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      if (lane % 16 == 0 && row(piece) < Geometry::kRows)
        to[warp * 16 + row(piece)] = sum;
    }
  }

private:
  using Element = typename Input::Element;
  /// A piece is 8 columns of a row; 16 pieces make the slice of a row, so a warp moves those of two rows at once.
  static constexpr int kPieces = ceilDiv(Geometry::kRows, 2);
  static constexpr bool kWide = Input::kStride * sizeof(Element) % 16 == 0;
  static constexpr bool kConverts = Geometry::kConverts;
  /// Chunks converted together, so that enough loads are under way in a lane: up to eight pieces in 64 registers.
  static constexpr int kChunksAtOnce = minOf(minOf(Geometry::kChunks, 4), maxOf(1, 8 / kPieces));

  __device__ int row(int piece) const { return piece * 2 + lane / 16; }
  __device__ int firstColumn(int chunk) const { return chunk * Geometry::kChunkDepth + warp * Geometry::kSliceDepth; }
  __device__ uint32 slice(int number) const { return slices + number % Geometry::kSlots * Geometry::kSliceBytes; }
  __device__ uint32 place(int number, int piece) const {
    return slice(number) + row(piece) * Geometry::kSliceRowBytes + lane % 16 * 16;
  }

  /// Starts the copies of chunk `number`; past the last one only counts a group.
  __device__ void copySlice(int number, int chunks) {
    int k = firstColumn(number % Geometry::kChunks) + lane % 16 * 8;
    bool inside = k < Geometry::kDepth;
    if (number < chunks) {
#pragma unroll
      for (int piece = 0; piece < kPieces; ++piece)
        if (row(piece) < Geometry::kRows) {
          const bf16 *from = input.data + static_cast<long long>(row(piece)) * Input::kStride;
          copyAsync16(place(number, piece), from + (inside ? k : 0), inside);
        }
    }
    commitCopies();
  }

  /// Eight elements from column k, zeros from column kDepth on.
  template <bool Aligned, class T> __device__ static void loadPiece(float (&values)[8], const T *from, int k) {
    constexpr bool kAllInside = Geometry::kDepth % (Geometry::kChunkDepth * kChunksAtOnce) == 0;
    if (Aligned && (kAllInside || k + 8 <= Geometry::kDepth))
      loadVector(from + k, values);
    else
#pragma unroll
      for (int i = 0; i < 8; ++i)
        values[i] = k + i < Geometry::kDepth ? toFloat(from[k + i]) : 0.0f;
  }

  /// Chunks `first`, `first` + 1, ... by way of registers into the slots from `number` on: all loads first, then the
  /// norm's part in them and the stores.
  template <int Chunks> __device__ void convertSlices(int first, int number) {
    float values[Chunks][kPieces][8], weights[Chunks][8];
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      int k = firstColumn(first + c) + lane % 16 * 8;
      if constexpr (Input::kNormalizes)
        loadPiece<true>(weights[c], input.weight, k);
#pragma unroll
      for (int piece = 0; piece < kPieces; ++piece)
        if (row(piece) < Geometry::kRows)
          loadPiece<kWide>(values[c][piece], input.data + static_cast<long long>(row(piece)) * Input::kStride, k);
    }
#pragma unroll
    for (int c = 0; c < Chunks; ++c)
#pragma unroll
      for (int piece = 0; piece < kPieces; ++piece)
        if (first + c < Geometry::kChunks && row(piece) < Geometry::kRows) {
          if constexpr (Input::kNormalizes)
            normalizePiece(values[c][piece], weights[c], squares[piece], number < Geometry::kChunks);
          storePiece(place(number + c, piece), values[c][piece]);
        }
  }

  /// values *= weight, their squares added to `sum` if they `count` (in the first pass).
  __device__ static void normalizePiece(float (&values)[8], const float (&weight)[8], float &sum, bool count) {
    float added = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      added += values[i] * values[i];
      values[i] *= weight[i];
    }
    if (count)
      sum += added;
  }

  __device__ static void storePiece(uint32 to, const float (&values)[8]) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(packBf16(values[0], values[1])),
                 "r"(packBf16(values[2], values[3])), "r"(packBf16(values[4], values[5])),
                 "r"(packBf16(values[6], values[7]))
                 : "memory");
  }

  const Input &input;
  int warp, lane;
  uint32 slices; ///< of this warp, [slot][row][kSliceRowBytes]
  float squares[kPieces];
};

} // namespace bambac
