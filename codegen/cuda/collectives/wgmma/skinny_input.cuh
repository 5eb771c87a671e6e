// The activations of a skinny linear: each mma warp stages its own slice of every chunk of the depth in shared memory
// and takes it from there as fragments, so that no two warps ever wait for each other.
#pragma once
#include "wgmma/skinny_codes.cuh"

namespace bambac {

/// One mma warp's view of the input. `Geometry` is SkinnyGeometry (wgmma/linear_skinny.cuh). Chunks are numbered on
/// over the passes of a block; chunk number n lies in slot n % kSlots. All chunks have a slot of their own where that
/// fits (kResident); otherwise they pass through the slots again in every pass.
///
/// A norm's operands are rounded exactly as RmsNorm (common/rms_norm.cuh) rounds its results, so that a linear gives
/// the same with either. That takes the sums of squares first, the one thing for which the mma warps meet.
template <class Geometry, class Input> class SkinnyInput {
public:
  /// The kSliceDepth words of a slice as operand B: steps of 16 words, tiles of 8 rows.
  static constexpr int kSteps = Geometry::kSliceDepth / 16, kRowTiles = Geometry::kRowTiles;
  using Fragments = StepFactors<typename Geometry::Operand>[kSteps][kRowTiles];

  __device__ SkinnyInput(const Input &input, uint8 *slots, int warp, int lane)
      : input(input), codes(input, warp, lane), warp(warp), lane(lane),
        slices(sharedAddress(slots) + warp * (Geometry::kSlots * Geometry::kSliceBytes)) {}

  /// Brings the norm's weight near, or into registers: the one thing of the input that does not depend on the kernels
  /// before.
  __device__ void prefetchWeight() {
    if constexpr (SkinnyCodes<Geometry, Input>::kKeepsWeights)
      codes.loadEarly();
    else if constexpr (Input::kNormalizes)
      for (int chunk = lane / 4; chunk < Geometry::kChunks; chunk += 8)
        for (int i = 0; i < kWordElements; ++i) {
          int k = firstColumn(chunk) + (lane % 4 + i * 4) * 32; // 128 bytes each
          if (k < Geometry::kDepth)
            asm volatile("prefetch.global.L2 [%0];" ::"l"(input.weight + k));
        }
  }

  /// Fills the slots with the first of all the `chunks` of this block. After waitForPredecessors(). `squares` is room
  /// for the mma warps' sums of squares, [16 rows][kMmaWarps].
  __device__ void begin(int chunks, float *squares) {
    if constexpr (!kConverts) {
      for (int number = 0; number < Geometry::kSlots; ++number)
        copySlice(number, chunks);
    } else if constexpr (kQuantizes<Input>) {
      codes.begin(slices, squares);
    } else if constexpr (Input::kNormalizes) {
      beginNormalized(squares);
    } else if constexpr (Geometry::kResident) {
      for (int chunk = 0; chunk < Geometry::kChunks; chunk += kChunksAtOnce)
        convertSlices<kChunksAtOnce>(chunk, chunk);
      __syncwarp();
    }
  }

  /// The fragments of chunk `number`. Rows from kRows on repeat the last one; their results are dropped.
  __device__ void load(Fragments &fragments, int number) {
    if constexpr (!kConverts) {
      if constexpr (Geometry::kResident)
        waitCopies<0>();
      else
        waitCopies<Geometry::kSlots - 1>();
      __syncwarp();
    } else if constexpr (!Geometry::kResident) {
      convertSlices<1>(chunkOf(number), slotOf(number));
      __syncwarp();
    }
#pragma unroll
    for (int tile = 0; tile < kRowTiles; ++tile) {
      const uint32 from =
          slice(slotOf(number)) + minOf(tile * 8 + lane % 8, Geometry::kRows - 1) * Geometry::kSliceRowBytes;
#pragma unroll
      for (int step = 0; step < kSteps; step += 2) {
        uint32 words[4];
        ldmatrixX4(words, from + lane / 8 * 16 + step * 32);
        fragments[step][tile] = {words[0], words[1]};
        fragments[step + 1][tile] = {words[2], words[3]};
      }
    }
  }

  /// Chunk `number` is no longer needed: its slot is filled anew.
  __device__ void release(int number, int chunks) {
    if constexpr (!Geometry::kResident) {
      __syncwarp();
      if constexpr (!kConverts)
        copySlice(number + Geometry::kSlots, chunks);
    }
  }

private:
  using Element = typename Input::Element;
  using Operand = typename Geometry::Operand;
  /// Elements of a word of two bytes.
  static constexpr int kWordElements = 2 / int(sizeof(Operand));
  /// A piece is 8 words of a row; 16 pieces make the slice of a row, so a warp moves those of two rows at once.
  static constexpr int kPieces = ceilDiv(Geometry::kRows, 2);
  static constexpr int kSquaresBarrier = 1; ///< named barrier of the mma warps
  static constexpr bool kWide = Input::kStride * sizeof(Element) % 16 == 0;
  static constexpr bool kConverts = Geometry::kConverts;
  // Budgets of a lane's registers, in vectors of 8 f32 (a piece, or the norm's weights of a chunk). The block's 320
  // threads have 168 registers each; a budget that is too large shows as a spill, of which bambac warns.
  static constexpr int kVectorRegisters = 8;
  static constexpr int kLoadedVectors = 64 / kVectorRegisters; ///< pieces on their way at once
  static constexpr int kKeptPieces = 128 / kVectorRegisters;   ///< pieces held while the sums of squares are made
  static constexpr int kKeptVectors = 136 / kVectorRegisters;  ///< those pieces and the norm's weights
  /// Chunks converted together, so that enough loads are under way.
  static constexpr int kChunksAtOnce = minOf(minOf(Geometry::kChunks, 4), maxOf(1, kLoadedVectors / kPieces));
  /// The first chunks stay in registers while the sums of squares are made; the others are read twice. So do the norm's
  /// weights for some of them.
  static constexpr int kKeptChunks =
      Input::kNormalizes && Geometry::kResident
          ? minOf(Geometry::kChunks, kKeptPieces / kPieces / kChunksAtOnce * kChunksAtOnce)
          : 0;
  static constexpr int kKeptWeights = minOf(kKeptChunks, kKeptVectors - kKeptChunks * kPieces);

  __device__ int row(int piece) const { return piece * 2 + lane / 16; }
  __device__ int firstColumn(int chunk) const {
    return (chunk * Geometry::kChunkDepth + warp * Geometry::kSliceDepth) * kWordElements;
  }
  /// Of the chunk that comes `number`-th.
  __device__ static int chunkOf(int number) { return Geometry::chunkOf(number % Geometry::kChunks); }
  __device__ static int slotOf(int number) { return Geometry::kResident ? chunkOf(number) : number % Geometry::kSlots; }
  __device__ uint32 slice(int slot) const { return slices + slot * Geometry::kSliceBytes; }
  __device__ uint32 place(int slot, int piece) const {
    return slice(slot) + row(piece) * Geometry::kSliceRowBytes + lane % 16 * 16;
  }

  /// Starts the copies of chunk `number`; past the last one only counts a group.
  __device__ void copySlice(int number, int chunks) {
    int k = firstColumn(chunkOf(number)) + lane % 16 * 8 * kWordElements;
    bool inside = k < Geometry::kDepth;
    if (number < chunks) {
#pragma unroll
      for (int piece = 0; piece < kPieces; ++piece)
        if (row(piece) < Geometry::kRows) {
          const Operand *from = input.data + static_cast<long long>(row(piece)) * Input::kStride;
          copyAsync16(place(slotOf(number), piece), from + (inside ? k : 0), inside);
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

  /// All rows of a slice.
  __device__ void loadSlice(float (&values)[kPieces][8], int chunk) const {
    const int k = firstColumn(chunk) + lane % 16 * 8;
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece)
      if (row(piece) < Geometry::kRows)
        loadPiece<kWide>(values[piece], input.data + static_cast<long long>(row(piece)) * Input::kStride, k);
  }

  __device__ void loadWeights(float (&weights)[8], int chunk) const {
    if constexpr (Input::kNormalizes)
      loadPiece<true>(weights, input.weight, firstColumn(chunk) + lane % 16 * 8);
  }

  /// The norm's part in a slice, in the order of RmsNorm, and its way into its slot.
  __device__ void storeSlice(float (&values)[kPieces][8], const float (&weights)[8], int slot) const {
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece)
      if (row(piece) < Geometry::kRows) {
        if constexpr (Input::kNormalizes)
#pragma unroll
          for (int i = 0; i < 8; ++i)
            values[piece][i] = values[piece][i] * scales[piece] * weights[i];
        storePiece(place(slot, piece), values[piece]);
      }
  }

  /// Chunks `first`, `first` + 1, ... by way of registers into the slots from `slot` on: all loads first.
  template <int Chunks> __device__ void convertSlices(int first, int slot) {
    float values[Chunks][kPieces][8], weights[Chunks][8];
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      loadWeights(weights[c], first + c);
      loadSlice(values[c], first + c);
    }
#pragma unroll
    for (int c = 0; c < Chunks; ++c)
      if (first + c < Geometry::kChunks)
        storeSlice(values[c], weights[c], slot + c);
  }

  // --- the norm ------------------------------------------------------------------------------------------------------

  /// The rows' scales and, where chunks have slots of their own, all of them converted.
  __device__ void beginNormalized(float *squares) {
    float sums[kPieces] = {};
    for (int chunk = kKeptChunks; chunk < Geometry::kChunks; chunk += kChunksAtOnce) {
      float values[kChunksAtOnce][kPieces][8];
#pragma unroll
      for (int c = 0; c < kChunksAtOnce; ++c)
        loadSlice(values[c], chunk + c);
#pragma unroll
      for (int c = 0; c < kChunksAtOnce; ++c)
        addSquares(sums, values[c]);
    }
    constexpr int kArrays = maxOf(kKeptChunks, 1);
    float kept[kArrays][kPieces][8], weights[kArrays][8];
#pragma unroll
    for (int chunk = 0; chunk < kKeptChunks; ++chunk) {
      loadSlice(kept[chunk], chunk);
      if (chunk < kKeptWeights)
        loadWeights(weights[chunk], chunk);
    }
#pragma unroll
    for (int chunk = 0; chunk < kKeptChunks; ++chunk)
      addSquares(sums, kept[chunk]);
    exchangeSquares(sums, squares);
#pragma unroll
    for (int chunk = 0; chunk < kKeptChunks; ++chunk) {
      storeSlice(kept[chunk], weights[chunk], chunk);
      if (chunk == 0) // which makes room for them
#pragma unroll
        for (int later = kKeptWeights; later < kKeptChunks; ++later)
          loadWeights(weights[later], later);
    }
    if constexpr (Geometry::kResident)
      for (int chunk = kKeptChunks; chunk < Geometry::kChunks; chunk += kChunksAtOnce)
        convertSlices<kChunksAtOnce>(chunk, chunk);
    __syncwarp();
  }

  __device__ void addSquares(float (&sums)[kPieces], const float (&values)[kPieces][8]) const {
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece)
      if (row(piece) < Geometry::kRows) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; ++i)
          sum += values[piece][i] * values[piece][i];
        sums[piece] += sum;
      }
  }

  /// Adds the lanes' and then the warps' sums in a fixed order, and turns them into the rows' scales.
  __device__ void exchangeSquares(float (&sums)[kPieces], float *squares) {
    constexpr int kWarps = Geometry::kMmaWarps;
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
#pragma unroll
      for (int mask = 8; mask; mask >>= 1)
        sums[piece] += __shfl_xor_sync(0xffffffffu, sums[piece], mask);
      if (lane % 16 == 0 && row(piece) < Geometry::kRows)
        squares[row(piece) * kWarps + warp] = sums[piece];
    }
    syncNamed(kSquaresBarrier, kWarps * 32);
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      float parts[kWarps], sum = 0.0f;
      loadVector(squares + minOf(row(piece), Geometry::kRows - 1) * kWarps, parts);
#pragma unroll
      for (int i = 0; i < kWarps; ++i)
        sum += parts[i];
      scales[piece] = rsqrtf(sum * (1.0f / Geometry::kDepth) + Input::kEpsilon);
    }
  }

  __device__ static void storePiece(uint32 to, const float (&values)[8]) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(pack<Operand>(values[0], values[1])),
                 "r"(pack<Operand>(values[2], values[3])), "r"(pack<Operand>(values[4], values[5])),
                 "r"(pack<Operand>(values[6], values[7]))
                 : "memory");
  }

  const Input &input;
  SkinnyCodes<Geometry, Input> codes;
  int warp, lane;
  uint32 slices;                                  ///< of this warp, [slot][row][kSliceRowBytes]
  float scales[Input::kNormalizes ? kPieces : 1]; ///< of the rows row(piece)
};

} // namespace bambac
