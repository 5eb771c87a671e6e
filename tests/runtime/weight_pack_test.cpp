// How the host packs weights: every element against the formulas of weight_layout.h, pieces, and types that are
// refused.

#include "runtime/contract/weight_layout.h"
#include "runtime/host/weight_pack.h"
#include "runtime/support/element.h"
#include "tests/runtime/toy_model.h"
#include <cstring>
#include <random>

using namespace bambac::rt;
using namespace bambac::rt::toy;
namespace contract = bambac::contract;

namespace {

/// How a weight is stored.
struct Shape {
  uint32_t panel = 0, flags = 0, group = 1, align = 1;
  uint32_t headDim = 0, rotaryDim = 0; ///< of every source
};

/// Packs sources of `rows` rows each in two pieces, and reads the result back element by element.
class Packed {
public:
  Packed(std::vector<uint64_t> sourceRows, uint64_t cols, Shape shape, bamba_rt_dtype dtype = BAMBA_RT_F32)
      : shape(shape), sourceRows(std::move(sourceRows)) {
    uint64_t rows = 0;
    for (uint64_t r : this->sourceRows)
      rows += r;
    weight = {};
    weight.name = "w";
    weight.dtype = dtype;
    weight.panel = shape.panel;
    weight.flags = shape.flags;
    weight.num_sources = static_cast<uint32_t>(this->sourceRows.size());
    weight.panel_group = shape.group;
    weight.panel_align = shape.align;
    weight.rows = rows;
    weight.cols = cols;
    weight.bytes = packedBytes(weight);
    elementSize = elementBytes(dtype);
    values.resize(rows * cols * elementSize);
    std::minstd_rand random(7);
    for (std::byte &value : values)
      value = static_cast<std::byte>(random() >> 8);
    memory.resize(weight.bytes);
    std::vector<WeightSource> sources;
    const std::byte *data = values.data();
    for (uint64_t r : this->sourceRows) {
      sources.push_back({data, dtype, Initializer(0, "", 1), r, shape.headDim, shape.rotaryDim});
      data += r * cols * elementSize;
    }
    uint64_t middle = rows / 3;
    for (auto [begin, end] : {std::pair(middle, rows), std::pair(uint64_t{0}, middle)})
      packRows(weight, sources, begin, end, memory.data() + packedRange(weight, begin, end).begin);
  }

  /// Checks every element against the formulas of weight_layout.h, and that the rest is zero.
  void check() const {
    bool transposed = weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE;
    uint64_t rows = transposed ? weight.cols : weight.rows, cols = transposed ? weight.rows : weight.cols;
    uint64_t p = weight.panel ? weight.panel : 1, g = weight.panel_group, align = weight.panel_align;
    uint64_t width = contract::paddedWidth(cols, align);
    std::vector<std::byte> expected(memory.size());
    ASSERT_EQ(expected.size(), contract::paddedRows(rows, p) * width * elementSize);
    for (uint64_t r = 0; r < rows; ++r)
      for (uint64_t c = 0; c < cols; ++c) {
        uint64_t offset = contract::panelOffset(r, c, p, g, width);
        uint64_t from = transposed ? sourceRow(c) * weight.cols + r : sourceRow(r) * weight.cols + c;
        std::copy_n(values.begin() + from * elementSize, elementSize, expected.begin() + offset * elementSize);
      }
    EXPECT_EQ(memory, expected);
  }

private:
  /// The row of the sources, one after another, that row `r` of the weight comes from.
  uint64_t sourceRow(uint64_t r) const {
    if (!(weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE))
      return contract::rotaryRowAt(r, shape.headDim, shape.rotaryDim); // sources are whole heads
    contract::SourceRow found = contract::interleavedRowAt(r, sourceRows.size());
    return found.source * sourceRows[0] + contract::rotaryRowAt(found.place, shape.headDim, shape.rotaryDim);
  }

  Shape shape;
  std::vector<uint64_t> sourceRows;
  bamba_rt_weight weight;
  size_t elementSize = 0;
  std::vector<std::byte> values, memory;
};

} // namespace

TEST(WeightPack, PacksAsTheTablesSay) {
  for (uint32_t flags : {0u, 1u})
    for (uint32_t panel : {0u, 1u, 4u, 32u, 48u})
      for (uint64_t cols : {1u, 3u, 128u, 131u}) {
        SCOPED_TRACE(testing::Message() << "flags " << flags << " panel " << panel << " cols " << cols);
        Packed({1}, cols, {panel, flags}).check();
        Packed({5, 6, 1}, cols, {panel, flags}).check();
        Packed({40, 33}, cols, {panel, flags}).check();
      }
}

TEST(WeightPack, PacksCoreMatrices) {
  for (bamba_rt_dtype dtype : {BAMBA_RT_F32, BAMBA_RT_BF16})
    for (uint32_t flags : {0u, 1u})
      for (uint64_t cols : {1u, 8u, 64u, 72u, 129u, 136u, 320u}) {
        SCOPED_TRACE(testing::Message() << "type " << dtype << " flags " << flags << " cols " << cols);
        Packed({1}, cols, {8, flags, 8, 64}, dtype).check();
        Packed({8, 16}, cols, {8, flags, 8, 64}, dtype).check();
        Packed({40, 33, 1}, cols, {8, flags, 8, 64}, dtype).check();
        Packed({21, 4}, cols, {16, flags, 4, 12}, dtype).check();
        Packed({21, 4}, cols, {4, flags, 6, 12}, dtype).check();
      }
}

TEST(WeightPack, InterleavesRows) {
  for (uint32_t panel : {0u, 4u, 8u})
    for (uint64_t cols : {3u, 64u, 200u})
      for (bamba_rt_dtype dtype : {BAMBA_RT_F32, BAMBA_RT_BF16}) {
        uint32_t group = panel == 8 ? 8 : 1, align = panel == 8 ? 64 : 1;
        SCOPED_TRACE(testing::Message() << "panel " << panel << " cols " << cols << " type " << dtype);
        Packed({37, 37}, cols, {panel, BAMBA_RT_WEIGHT_INTERLEAVE, group, align}, dtype).check();
        Packed({5, 5, 5}, cols, {panel, BAMBA_RT_WEIGHT_INTERLEAVE, group, align}, dtype).check();
      }
}

TEST(WeightPack, PutsRotaryPairsSideBySide) {
  for (uint32_t flags : {0, 1, 2, 3})         // transposed, interleaved
    for (uint64_t cols : {1u, 3u, 64u, 136u}) // a bias is a matrix of one column
      for (auto [headDim, rotaryDim] : {std::pair(16u, 16u), std::pair(16u, 6u), std::pair(5u, 4u), std::pair(8u, 0u)})
        for (bamba_rt_dtype dtype : {BAMBA_RT_F32, BAMBA_RT_BF16}) {
          SCOPED_TRACE(testing::Message() << "flags " << flags << " cols " << cols << " head " << headDim << " rotary "
                                          << rotaryDim << " type " << dtype);
          std::vector<uint64_t> rows =
              flags & 2 ? std::vector<uint64_t>{uint64_t{3} * headDim, uint64_t{3} * headDim}
                        : std::vector<uint64_t>{uint64_t{4} * headDim, headDim, uint64_t{2} * headDim};
          Packed(rows, cols, {0, flags, 1, 1, headDim, rotaryDim}, dtype).check();
          Packed(rows, cols, {4, flags, 1, 1, headDim, rotaryDim}, dtype).check();
          Packed(rows, cols, {8, flags, 8, 64, headDim, rotaryDim}, dtype).check();
        }
}

TEST(WeightPack, RandomRowsGoInOrderToo) {
  constexpr uint64_t head = 8, cols = 3;
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.panel_group = weight.panel_align = weight.num_sources = 1;
  weight.rows = 2 * head;
  weight.cols = cols;
  weight.bytes = packedBytes(weight);
  WeightSource source{nullptr, BAMBA_RT_F32, Initializer(3, "q_proj.weight", cols), weight.rows, head, 4};
  std::vector<float> packed(weight.rows * cols);
  packRows(weight, {&source, 1}, 0, weight.rows, reinterpret_cast<std::byte *>(packed.data()));
  constexpr uint64_t order[] = {0, 2, 1, 3, 4, 5, 6, 7};
  for (uint64_t i = 0; i < packed.size(); ++i) {
    uint64_t row = i / cols;
    EXPECT_EQ(packed[i], source.random((row / head * head + order[row % head]) * cols + i % cols)) << i;
  }
}

TEST(WeightPack, PiecesAreWholePanels) {
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.dtype = BAMBA_RT_BF16;
  weight.panel = weight.panel_group = 8;
  weight.panel_align = 64;
  weight.rows = 1000;
  weight.cols = 4096;
  uint64_t rows = rowsPerTask(weight);
  EXPECT_EQ(rows, 128u);
  EXPECT_EQ(packedRange(weight, rows, 2 * rows).begin, uint64_t{1} << 20);
  EXPECT_EQ(packedRange(weight, rows, 2 * rows).size(), uint64_t{1} << 20);
  weight.rows = 1001;
  EXPECT_EQ(packedRange(weight, 1000, 1001).end, packedBytes(weight));
  weight.cols = 4095;
  EXPECT_EQ(StoredMatrix(weight).width, 4096u);
}

/// Numbers become codes with a scale of each row, in pieces and among rows that are codes already.
TEST(WeightPack, Quantizes) {
  constexpr uint64_t rows = 70, cols = 300, groups = 2;
  std::vector<float> numbers(rows * cols);
  Initializer(5, "w.weight", cols).generate(0, numbers.size(), numbers.data());
  std::fill_n(numbers.begin() + 3 * cols, cols, 0.0f);
  std::vector<std::byte> codes(rows * cols, std::byte{0x41});
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.dtype = BAMBA_RT_F8E4M3;
  weight.panel = 32;
  weight.flags = BAMBA_RT_WEIGHT_INTERLEAVE;
  weight.panel_group = weight.panel_align = 1;
  weight.num_sources = 2;
  weight.rows = 2 * rows;
  weight.cols = cols;
  weight.bytes = packedBytes(weight);
  WeightSource sources[] = {
      {reinterpret_cast<const std::byte *>(numbers.data()), BAMBA_RT_F32, Initializer(0, "", 1), rows},
      {codes.data(), BAMBA_RT_F8E4M3, Initializer(0, "", 1), rows}};
  sources[0].quantizes = true;
  std::vector<std::byte> packed(weight.bytes);
  std::vector<float> scales(groups * weight.rows, 7.0f);
  for (uint64_t begin : {uint64_t{64}, uint64_t{0}})
    packRows(weight, sources, begin, begin ? weight.rows : 64, packed.data() + packedRange(weight, begin, 64).begin,
             scales);
  StoredMatrix layout(weight);
  for (uint64_t row = 0; row < rows; ++row) {
    std::span<const float> of(&numbers[row * cols], cols);
    float largest = 0;
    for (float number : of)
      largest = std::max(largest, std::abs(number));
    float scale = largest > 0 ? largest / 448 : 1.0f;
    for (uint64_t group = 0; group < groups; ++group) {
      EXPECT_EQ(scales[group * weight.rows + 2 * row], scale) << row;
      EXPECT_EQ(scales[group * weight.rows + 2 * row + 1], 7.0f) << "codes have scales of their own";
    }
    for (uint64_t col = 0; col < cols; ++col) {
      auto at = [&](uint64_t r) { return static_cast<uint8_t>(packed[layout.offset(r, col)]); };
      ASSERT_EQ(at(2 * row), fromF32<E4m3>(of[col] / scale).bits) << row << ", " << col;
      ASSERT_EQ(at(2 * row + 1), 0x41);
    }
  }
}

TEST(WeightPack, TypesThatWeightsDoNotHaveAreErrors) {
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.panel_group = weight.panel_align = weight.num_sources = 1;
  weight.rows = weight.cols = 1;
  WeightSource source{nullptr, BAMBA_RT_F32, Initializer(0, "", 1), 1, 0, 0};
  std::byte out[4];
  for (uint32_t dtype : {uint32_t{BAMBA_RT_I32}, 99u, 77u}) {
    weight.dtype = dtype;
    expectFailure(failureOf([&] { packRows(weight, {&source, 1}, 0, 1, out); }), BAMBA_INTERNAL,
                  {fmt::format("found {}", dtype == BAMBA_RT_I32 ? "number 3" : std::to_string(dtype))});
  }
  weight.dtype = BAMBA_RT_F32;
  source.data = out;
  source.dtype = BAMBA_RT_I32;
  expectFailure(failureOf([&] { packRows(weight, {&source, 1}, 0, 1, out); }), BAMBA_INTERNAL,
                {"a type that weights have, found number 3"});
  EXPECT_EQ(failureOf([] { elementBytes(99); }).status, BAMBA_INTERNAL);
}
