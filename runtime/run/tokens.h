// Reads the list of tokens that --tokens gives, inline or in a file.
#ifndef BAMBAC_RUNTIME_RUN_TOKENS_H
#define BAMBAC_RUNTIME_RUN_TOKENS_H

#include <cstdint>
#include <string>
#include <vector>

namespace bambac::run {

/// Tokens from "1,2,3", or from the file that "@FILE" names; separated by commas, spaces or newlines. Throws Failure
/// where there is no token or one is not a number from 0 to 2^31 - 1; the library knows its vocabulary and checks that.
std::vector<int32_t> parseTokens(const std::string &text);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_TOKENS_H
