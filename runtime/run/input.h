// Reading the files that commands are given.
#ifndef BAMBAC_RUNTIME_RUN_INPUT_H
#define BAMBAC_RUNTIME_RUN_INPUT_H

#include <string>
#include <string_view>

namespace bambac::run {

/// The bytes of a file. `what` says what is read from it, for messages. Throws Failure where it cannot be read.
std::string readFile(const std::string &path, std::string_view what);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_INPUT_H
