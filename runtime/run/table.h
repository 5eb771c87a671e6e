// A table of text with aligned columns.
#ifndef BAMBAC_RUNTIME_RUN_TABLE_H
#define BAMBAC_RUNTIME_RUN_TABLE_H

#include <string>
#include <vector>

namespace bambac::run {

/// Columns are as wide as their widest cell. A title that starts with '>' aligns its column to the right.
class Table {
public:
  explicit Table(std::vector<std::string> titles);

  /// Missing cells at the end stay empty.
  void add(std::vector<std::string> row);

  /// The lines, each after two blanks, with the titles first unless all of them are empty. With a `width` the last
  /// column is broken at blanks so that lines have no more columns than that; where the others take more than a third
  /// of them, it follows on lines of its own.
  std::string str(size_t width = 0) const;

private:
  std::vector<size_t> measureColumns() const;

  std::vector<bool> right;
  std::vector<std::vector<std::string>> rows;
};

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_TABLE_H
