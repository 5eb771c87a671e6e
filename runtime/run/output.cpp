#include "runtime/run/output.h"
#include "runtime/run/failure.h"

#include <cstdio>

namespace bambac::run {

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    fail("cannot write to stdout: {}", systemMessage());
}

void printJson(const Json &json) {
  // Text that is not UTF-8 (a path, say) is shown with replacement characters, not refused.
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

} // namespace bambac::run
