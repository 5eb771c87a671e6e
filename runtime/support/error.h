// Errors inside the runtime are exceptions; this file has their type and the boundary that turns them into a status.
#ifndef BAMBA_RUNTIME_SUPPORT_ERROR_H
#define BAMBA_RUNTIME_SUPPORT_ERROR_H

#include "runtime/include/bamba/bamba.h"
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <string>
#include <utility>

namespace bambac::rt {

/// A failure that a caller of the C interface is told about: a status and one line of text. The text starts in lower
/// case, has no final period and says what was expected and what was found.
class Error : public std::exception {
public:
  Error(bamba_status status, std::string message) : code(status), text(std::move(message)) {}
  bamba_status status() const { return code; }
  const std::string &message() const { return text; }
  const char *what() const noexcept override { return text.c_str(); }

private:
  bamba_status code;
  std::string text;
};

template <typename... Args>
[[noreturn]] void fail(bamba_status status, fmt::format_string<Args...> format, Args &&...args) {
  throw Error(status, fmt::format(format, std::forward<Args>(args)...));
}

/// Writes `message` into the caller's buffer as one line: control characters become '?', and what does not fit is cut
/// off between two characters. Does nothing for a null or too small `error`.
void fillError(bamba_error *error, const char *message) noexcept;

/// Inside a catch block: the status of the exception in flight, its text written to `error`.
bamba_status reportException(bamba_error *error) noexcept;

/// Runs the body of a C function; no exception leaves it.
template <typename Body> bamba_status guard(bamba_error *error, const Body &body) noexcept {
  try {
    body();
    return BAMBA_OK;
  } catch (...) {
    return reportException(error);
  }
}

/// The number of an enumerator that a C caller passed. In C it may be any number, and reading one that is no enumerator
/// as an enumeration would be undefined.
template <typename Enum> int enumNumber(const Enum &value) {
  int number;
  static_assert(sizeof(number) == sizeof(value));
  std::memcpy(&number, &value, sizeof(number));
  return number;
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_ERROR_H
