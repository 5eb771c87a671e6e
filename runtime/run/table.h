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

  /// The lines, each after two blanks, with the titles first unless all of them are empty.
  std::string str() const;

private:
  std::vector<bool> right;
  std::vector<std::vector<std::string>> rows;
};

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_TABLE_H
