// What bamba-run writes to stdout, with failures of the write reported.
#ifndef BAMBAC_RUNTIME_RUN_OUTPUT_H
#define BAMBAC_RUNTIME_RUN_OUTPUT_H

#include <nlohmann/json.hpp>
#include <string_view>

namespace bambac::run {

/// JSON whose fields stay in the order in which they were added.
using Json = nlohmann::ordered_json;

/// Writes `text` to stdout and flushes it. Throws Failure where that fails.
void print(std::string_view text);

/// Writes `json` to stdout, indented.
void printJson(const Json &json);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_OUTPUT_H
