#include "runtime/weight_pack.h"
#include "runtime/element.h"
#include "runtime/memory.h"
#include <algorithm>
#include <cstring>
#include <type_traits>

namespace bambac::rt {
namespace {

/// A tile is converted into a small buffer, row by row, and then written out panel-interleaved: reads and writes both
/// run along contiguous memory, and the buffer stays in the first-level cache.
constexpr uint64_t tileRows = 32, tileCols = 128;

/// Loads an element that need not be aligned.
template <typename From> From load(const std::byte *data, uint64_t index) {
  From value;
  std::memcpy(&value, data + index * sizeof(From), sizeof(From));
  return value;
}

template <typename From, typename To> void convert(const std::byte *data, uint64_t index, uint64_t count, To *out) {
  if constexpr (std::is_same_v<From, To>)
    std::memcpy(out, data + index * sizeof(From), count * sizeof(From));
  else
    for (uint64_t i = 0; i < count; ++i)
      out[i] = fromF32<To>(toF32(load<From>(data, index + i)));
}

/// `count` elements of a source from `index` on, in row-major order.
template <typename To> void read(const WeightSource &source, uint64_t index, uint64_t count, To *out) {
  if (!source.data) {
    for (uint64_t i = 0; i < count; ++i)
      out[i] = fromF32<To>(source.random(index + i));
    return;
  }
  switch (source.dtype) {
  case BAMBA_RT_BF16:
    return convert<Bf16>(source.data, index, count, out);
  case BAMBA_RT_F16:
    return convert<F16>(source.data, index, count, out);
  default:
    return convert<float>(source.data, index, count, out);
  }
}

/// The stacked sources as one matrix: finds the source of a row. Rows are asked for in rising order.
class StackedRows {
public:
  StackedRows(std::span<const WeightSource> sources, uint64_t cols) : sources(sources), cols(cols) {}

  template <typename To> void read(uint64_t row, uint64_t col, uint64_t count, To *out) {
    if (row < first) // a new tile starts over at an earlier row
      first = source = 0;
    while (row - first >= sources[source].rows)
      first += sources[source++].rows;
    rt::read(sources[source], (row - first) * cols + col, count, out);
  }

private:
  std::span<const WeightSource> sources;
  uint64_t cols, first = 0;
  size_t source = 0;
};

/// Where elements stand in memory. Row-major is the layout with panels of one row.
struct Layout {
  explicit Layout(const bamba_rt_weight &w)
      : transposed(w.flags & BAMBA_RT_WEIGHT_TRANSPOSE), panel(w.panel ? w.panel : 1),
        depth(transposed ? w.rows : w.cols) {}

  /// The offset of row `r` and column `c` of the matrix that is stored, depth columns wide.
  uint64_t offset(uint64_t r, uint64_t c) const { return (r / panel * depth + c) * panel + r % panel; }

  bool transposed;
  uint64_t panel, depth;
};

template <typename To>
void store(const Layout &layout, const To (&tile)[tileRows][tileCols], uint64_t row, uint64_t rows, uint64_t col,
           uint64_t cols, To *out) {
  if (layout.transposed) {
    // A column of the tile is a run along the stored rows, `panel` elements apart.
    for (uint64_t c = 0; c < cols; ++c) {
      To *to = out + layout.offset(col + c, row);
      for (uint64_t r = 0; r < rows; ++r)
        to[r * layout.panel] = tile[r][c];
    }
    return;
  }
  if (layout.panel == 1) {
    for (uint64_t r = 0; r < rows; ++r)
      std::memcpy(out + layout.offset(row + r, col), tile[r], cols * sizeof(To));
    return;
  }
  // Rows of one panel stand side by side: fill them column by column.
  for (uint64_t r = 0; r < rows;) {
    uint64_t run = std::min(rows - r, layout.panel - (row + r) % layout.panel);
    To *to = out + layout.offset(row + r, col);
    for (uint64_t c = 0; c < cols; ++c)
      for (uint64_t i = 0; i < run; ++i)
        to[c * layout.panel + i] = tile[r + i][c];
    r += run;
  }
}

template <typename To>
void pack(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end, To *out) {
  Layout layout(weight);
  StackedRows matrix(sources, weight.cols);
  To tile[tileRows][tileCols];
  for (uint64_t row = begin; row < end; row += tileRows) {
    uint64_t rows = std::min(tileRows, end - row);
    for (uint64_t col = 0; col < weight.cols; col += tileCols) {
      uint64_t cols = std::min(tileCols, weight.cols - col);
      for (uint64_t r = 0; r < rows; ++r)
        matrix.read(row + r, col, cols, tile[r]);
      store(layout, tile, row, rows, col, cols, out);
    }
  }
}

} // namespace

uint64_t packedBytes(const bamba_rt_weight &weight) {
  bool transposed = weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE;
  uint64_t rows = transposed ? weight.cols : weight.rows, cols = transposed ? weight.rows : weight.cols;
  uint64_t panel = weight.panel ? weight.panel : 1;
  uint64_t padded = checkedMul(rows / panel + (rows % panel != 0), panel, weight.name);
  return checkedMul(checkedMul(padded, cols, weight.name), elementBytes(weight.dtype), weight.name);
}

uint64_t rowsPerTask(const bamba_rt_weight &weight) {
  constexpr uint64_t taskBytes = uint64_t{1} << 20;
  uint64_t rows = taskBytes / std::max<uint64_t>(weight.cols * elementBytes(weight.dtype), 1);
  uint64_t granule = std::max<uint64_t>(weight.panel, tileRows);
  return std::max(rows / granule * granule, granule);
}

void packRows(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end,
              std::byte *out) {
  switch (weight.dtype) {
  case BAMBA_RT_BF16:
    return pack(weight, sources, begin, end, reinterpret_cast<Bf16 *>(out));
  case BAMBA_RT_F16:
    return pack(weight, sources, begin, end, reinterpret_cast<F16 *>(out));
  default:
    return pack(weight, sources, begin, end, reinterpret_cast<float *>(out));
  }
}

} // namespace bambac::rt
