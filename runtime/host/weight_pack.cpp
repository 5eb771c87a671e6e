// Moves tiles of the sources, or whole core matrices where no element changes, to their places.
#include "runtime/host/weight_pack.h"
#include "runtime/contract/quantization.h"
#include "runtime/support/element.h"
#include <algorithm>
#include <cmath>
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

/// `count` elements of a source from `index` on, in row-major order; at most a row of a tile.
template <typename To> void read(const WeightSource &source, uint64_t index, uint64_t count, To *out) {
  if constexpr (std::is_same_v<To, E4m3>)
    if (!source.data)
      return source.generateCodes(index, count, out);
  if (!source.data) {
    float numbers[tileCols];
    source.random.generate(index, count, numbers);
    for (uint64_t i = 0; i < count; ++i)
      out[i] = fromF32<To>(numbers[i]);
    return;
  }
  withStoredElement(source.dtype, [&](auto element) { convert<decltype(element)>(source.data, index, count, out); });
}

/// The sources as one matrix, one after another or taking turns row by row. Rows are asked for in rising order.
class StackedRows {
public:
  StackedRows(const bamba_rt_weight &weight, std::span<const WeightSource> sources)
      : sources(sources), cols(weight.cols), interleaved(weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE) {}

  template <typename To> void read(uint64_t row, uint64_t col, uint64_t count, To *out) {
    auto [source, index] = find(row, col);
    rt::read(*source, index, count, out);
  }

  /// The scale of a row of numbers that become codes.
  float findScale(uint64_t row) {
    float largest = 0, numbers[tileCols];
    for (uint64_t col = 0; col < cols; col += tileCols) {
      uint64_t count = std::min(tileCols, cols - col);
      read(row, col, count, numbers);
      for (uint64_t i = 0; i < count; ++i)
        largest = std::max(largest, std::fabs(numbers[i]));
    }
    float scale = largest / contract::kLargestE4m3;
    return scale > 0 ? scale : 1.0f;
  }

  /// Codes of numbers with the scale of their row.
  void quantize(uint64_t row, uint64_t col, uint64_t count, float scale, E4m3 *out) {
    float numbers[tileCols];
    read(row, col, count, numbers);
    for (uint64_t i = 0; i < count; ++i)
      out[i] = fromF32<E4m3>(numbers[i] / scale);
  }

  bool quantizes(uint64_t row) { return find(row, 0).source->quantizes; }

  struct Place {
    const WeightSource *source;
    uint64_t index; ///< of the element in the source's memory, or among its random numbers
  };

  Place find(uint64_t row, uint64_t col) {
    if (interleaved) {
      contract::SourceRow found = contract::interleavedRowAt(row, sources.size());
      return in(sources[found.source], found.place, col);
    }
    if (row < first) // a new tile starts over at an earlier row
      first = source = 0;
    while (row - first >= sources[source].rows)
      first += sources[source++].rows;
    return in(sources[source], row - first, col);
  }

private:
  Place in(const WeightSource &from, uint64_t row, uint64_t col) const {
    return {&from, (from.rowAt(row) - from.firstRow) * cols + col};
  }

  std::span<const WeightSource> sources;
  uint64_t cols, first = 0;
  size_t source = 0;
  bool interleaved;
};

/// The stored matrix from element `first` on, from which offsets count.
struct Layout : StoredMatrix {
  explicit Layout(const bamba_rt_weight &weight, uint64_t first = 0) : StoredMatrix(weight), first(first) {}

  uint64_t offsetFromFirst(uint64_t r, uint64_t c) const { return offset(r, c) - first; }

  uint64_t first;
};

template <typename To> using Tile = To[tileRows][tileCols];

/// A column of the tile is a run along a stored row.
template <typename To>
void storeTransposed(const Layout &layout, const Tile<To> &tile, uint64_t row, uint64_t rows, uint64_t col,
                     uint64_t cols, To *out) {
  for (uint64_t c = 0; c < cols; ++c)
    for (uint64_t r = 0; r < rows; ++r)
      out[layout.offsetFromFirst(col + c, row + r)] = tile[r][c];
}

/// The rows of one panel are neighbours: fill it column by column.
template <typename To>
void storePanels(const Layout &layout, const Tile<To> &tile, uint64_t row, uint64_t rows, uint64_t col, uint64_t cols,
                 To *out) {
  for (uint64_t r = 0; r < rows;) {
    uint64_t run = std::min(rows - r, layout.panel - (row + r) % layout.panel);
    To *to = out + layout.offsetFromFirst(row + r, col);
    for (uint64_t c = 0; c < cols; ++c)
      for (uint64_t i = 0; i < run; ++i)
        to[c * layout.panel + i] = tile[r + i][c];
    r += run;
  }
}

/// Groups of columns stay together: a row of the tile is cut into them. `col` is a multiple of the group.
template <typename To>
void storeGroups(const Layout &layout, const Tile<To> &tile, uint64_t row, uint64_t rows, uint64_t col, uint64_t cols,
                 To *out) {
  uint64_t stride = layout.panel * layout.group;
  for (uint64_t r = 0; r < rows; ++r) {
    To *to = out + layout.offsetFromFirst(row + r, col);
    for (uint64_t c = 0; c < cols; c += layout.group, to += stride)
      std::memcpy(to, &tile[r][c], std::min(layout.group, cols - c) * sizeof(To));
  }
}

template <typename To>
void store(const Layout &layout, const Tile<To> &tile, uint64_t row, uint64_t rows, uint64_t col, uint64_t cols,
           To *out) {
  if (layout.transposed)
    return storeTransposed(layout, tile, row, rows, col, cols, out);
  if (layout.group > 1 && tileCols % layout.group == 0)
    return storeGroups(layout, tile, row, rows, col, cols, out);
  if (layout.group > 1) {
    for (uint64_t r = 0; r < rows; ++r)
      for (uint64_t c = 0; c < cols; ++c)
        out[layout.offsetFromFirst(row + r, col + c)] = tile[r][c];
    return;
  }
  if (layout.panel > 1)
    return storePanels(layout, tile, row, rows, col, cols, out);
  for (uint64_t r = 0; r < rows; ++r)
    std::memcpy(out + layout.offsetFromFirst(row + r, col), tile[r], cols * sizeof(To));
}

/// Core matrices, panels of 8 rows by groups of 8 columns, of a checkpoint of the same 2-byte type: 16 bytes at a time
/// from each of 8 rows, written out in order. The columns are whole groups. Returns the first row that is left.
template <typename To>
uint64_t packCoreMatrices(const Layout &layout, StackedRows &matrix, bamba_rt_dtype dtype, uint64_t begin, uint64_t end,
                          To *out) {
  constexpr uint64_t size = 8;
  constexpr size_t line = size * sizeof(To);
  uint64_t row = begin;
  for (; row + size <= end; row += size) {
    const std::byte *from[size];
    for (uint64_t r = 0; r < size; ++r) {
      auto [source, index] = matrix.find(row + r, 0);
      if (!source->data || source->dtype != dtype)
        return row;
      from[r] = source->data + index * sizeof(To);
    }
    auto *to = reinterpret_cast<std::byte *>(out + layout.offsetFromFirst(row, 0));
    for (uint64_t at = 0; at < layout.cols * sizeof(To); at += line)
      for (uint64_t r = 0; r < size; ++r, to += line)
        std::memcpy(to, from[r] + at, line);
  }
  return row;
}

/// Finds the scales of rows that quantize, and writes them for each group of columns.
void findScales(StackedRows &matrix, uint64_t begin, uint64_t end, uint64_t rows, std::span<float> scales) {
  for (uint64_t row = begin; row < end; ++row) {
    if (!matrix.quantizes(row))
      continue;
    float scale = matrix.findScale(row);
    for (uint64_t at = row; at < scales.size(); at += rows)
      scales[at] = scale;
  }
}

template <typename To>
void readRow(StackedRows &matrix, uint64_t row, uint64_t col, uint64_t count, std::span<const float> scales, To *out) {
  if constexpr (std::is_same_v<To, E4m3>)
    if (matrix.quantizes(row))
      return matrix.quantize(row, col, count, scales[row], out);
  matrix.read(row, col, count, out);
}

template <typename To>
void pack(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end,
          uint64_t first, std::span<float> scales, To *out) {
  Layout layout(weight, first);
  StackedRows matrix(weight, sources);
  uint64_t row = begin;
  if (sizeof(To) == 2 && !layout.transposed && layout.panel == 8 && layout.group == 8 && layout.cols % 8 == 0 &&
      begin % 8 == 0)
    row = packCoreMatrices(layout, matrix, static_cast<bamba_rt_dtype>(weight.dtype), begin, end, out);
  Tile<To> tile;
  for (; row < end; row += tileRows) {
    uint64_t rows = std::min(tileRows, end - row);
    findScales(matrix, row, row + rows, weight.rows, scales);
    for (uint64_t col = 0; col < weight.cols; col += tileCols) {
      uint64_t cols = std::min(tileCols, weight.cols - col);
      for (uint64_t r = 0; r < rows; ++r)
        readRow(matrix, row + r, col, cols, scales, tile[r]);
      store(layout, tile, row, rows, col, cols, out);
    }
  }
}

} // namespace

uint64_t rowsPerTask(const bamba_rt_weight &weight) {
  constexpr uint64_t bytes = uint64_t{1} << 20;
  uint64_t rows = bytes / std::max<uint64_t>(StoredMatrix(weight).width * elementBytes(weight.dtype), 1);
  uint64_t granule = std::max<uint64_t>(weight.panel, tileRows);
  if (weight.panel) // whole panels, whatever their size
    granule = contract::paddedRows(granule, weight.panel);
  return std::max(rows / granule * granule, granule);
}

ByteRange packedRange(const bamba_rt_weight &weight, uint64_t begin, uint64_t end) {
  StoredMatrix layout(weight);
  if (layout.transposed)
    return {0, weight.bytes};
  uint64_t rowBytes = layout.width * elementBytes(weight.dtype);
  uint64_t first = begin / layout.panel * layout.panel, last = contract::paddedRows(end, layout.panel);
  return {first * rowBytes, last * rowBytes};
}

void packRows(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end,
              std::byte *out, std::span<float> scales) {
  uint64_t first = packedRange(weight, begin, end).begin / elementBytes(weight.dtype);
  withElement(weight.dtype, [&](auto element) {
    pack(weight, sources, begin, end, first, scales, reinterpret_cast<decltype(element) *>(out));
  });
}

} // namespace bambac::rt
