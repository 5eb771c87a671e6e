// JSON as the runtime reads it: strict, with an error line that says where the text went wrong.
#ifndef BAMBA_RUNTIME_SUPPORT_JSON_H
#define BAMBA_RUNTIME_SUPPORT_JSON_H

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace bambac::rt {

using Json = nlohmann::json;

/// Parses `text`, named `what` in messages. Throws Error BAMBA_BAD_CHECKPOINT for text that is not JSON, is not an
/// object, or that has a key twice in the outermost object or in an object right below it. Thread-safe.
Json parseJson(std::string_view what, std::span<const std::byte> text);

/// "an object", "a string": what a value is, for messages.
std::string jsonKind(const Json &value);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_JSON_H
