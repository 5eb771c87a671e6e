#include "runtime/run/table.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace bambac::run {

Table::Table(std::vector<std::string> titles) {
  for (std::string &title : titles) {
    right.push_back(title.starts_with('>'));
    if (right.back())
      title.erase(0, 1);
  }
  if (std::any_of(titles.begin(), titles.end(), [](const std::string &title) { return !title.empty(); }))
    add(std::move(titles));
}

void Table::add(std::vector<std::string> row) {
  row.resize(right.size());
  rows.push_back(std::move(row));
}

std::string Table::str() const {
  std::vector<size_t> widths(right.size());
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());

  std::string text;
  for (const auto &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += right[i] ? fmt::format("  {:>{}}", row[i], widths[i]) : fmt::format("  {:<{}}", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

} // namespace bambac::run
