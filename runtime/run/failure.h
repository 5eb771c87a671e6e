// How bamba-run gives up: an exception with the text that main prints after "bamba-run: error: ".
#ifndef BAMBAC_RUNTIME_RUN_FAILURE_H
#define BAMBAC_RUNTIME_RUN_FAILURE_H

#include <cerrno>
#include <fmt/format.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace bambac::run {

/// A failure that is the user's or the system's, told in one line.
class Failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// What was asked for does not fit into the device's or the host's memory.
class OutOfMemory : public Failure {
public:
  using Failure::Failure;
};

template <typename... Args> [[noreturn]] void fail(fmt::format_string<Args...> text, Args &&...args) {
  throw Failure(fmt::format(text, std::forward<Args>(args)...));
}

/// What the operating system says about `code`, without touching any shared buffer.
inline std::string systemMessage(int code = errno) { return std::generic_category().message(code); }

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_FAILURE_H
