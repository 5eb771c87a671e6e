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

std::vector<size_t> Table::measureColumns() const {
  std::vector<size_t> widths(right.size());
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  return widths;
}

static std::string trimEnd(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

/// `text` in lines of at most `width` columns, of one word at least. All but the first start with `indent` blanks, and
/// the first is to stand there too.
static std::string breakAtBlanks(std::string_view text, size_t indent, size_t width) {
  std::string lines;
  size_t column = indent;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > indent && column + 1 + word.size() > width) {
      lines += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
  }
  return lines;
}

std::string Table::str(size_t width) const {
  std::vector<size_t> widths = measureColumns();
  size_t before = 2; // columns of the line that the last cell does not have
  for (size_t i = 0; i + 1 < widths.size(); ++i)
    before += widths[i] + 2;
  size_t indent = right.front() ? widths.front() + 4 : 6; // below the first column of text, or further in

  std::string text;
  for (const auto &row : rows) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i)
      line += right[i] ? fmt::format("  {:>{}}", row[i], widths[i]) : fmt::format("  {:<{}}", row[i], widths[i]);
    const std::string &last = row.back();
    if (width == 0 || before + last.size() <= width)
      line += right.back() ? fmt::format("  {:>{}}", last, widths.back()) : "  " + last;
    else if (before <= width / 3)
      line += "  " + breakAtBlanks(last, before, width);
    else
      line = trimEnd(line) + '\n' + std::string(indent, ' ') + breakAtBlanks(last, indent, width);
    text += trimEnd(line) + '\n';
  }
  return text;
}

} // namespace bambac::run
