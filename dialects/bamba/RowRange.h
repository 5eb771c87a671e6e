// Consecutive rows of a checkpoint tensor, a parameter of #bamba.source: written `[first, count]`.
#ifndef BAMBAC_DIALECTS_BAMBA_ROWRANGE_H
#define BAMBAC_DIALECTS_BAMBA_ROWRANGE_H

#include "dialects/LLVM.h"
#include "mlir/IR/DialectImplementation.h"

namespace bambac {

/// `count` rows from row `first` on. The default, no rows, means the whole tensor.
struct RowRange {
  int64_t first = 0, count = 0;

  friend bool operator==(const RowRange &, const RowRange &) = default;
  friend llvm::hash_code hash_value(const RowRange &rows) { return llvm::hash_combine(rows.first, rows.count); }
  friend raw_ostream &operator<<(raw_ostream &stream, const RowRange &rows) {
    return stream << '[' << rows.first << ", " << rows.count << ']';
  }
};

} // namespace bambac

template <> struct mlir::FieldParser<bambac::RowRange> {
  static FailureOr<bambac::RowRange> parse(AsmParser &parser) {
    bambac::RowRange rows;
    llvm::SMLoc loc = parser.getCurrentLocation();
    if (parser.parseLSquare() || parser.parseInteger(rows.first) || parser.parseComma() ||
        parser.parseInteger(rows.count) || parser.parseRSquare())
      return failure();
    if (rows == bambac::RowRange()) // the whole tensor is written without a range
      return parser.emitError(loc, "expected at least one row, found none");
    return rows;
  }
};

#endif // BAMBAC_DIALECTS_BAMBA_ROWRANGE_H
