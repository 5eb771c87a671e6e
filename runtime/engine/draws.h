// How the tokens of a request are drawn: its parameters, and what its caller allows for the next one.
#ifndef BAMBA_RUNTIME_ENGINE_DRAWS_H
#define BAMBA_RUNTIME_ENGINE_DRAWS_H

#include "runtime/include/bamba/engine.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bambac::rt {

/// Belongs to a request. Allocates only where it is made of options.
class Draws {
public:
  /// The most likely tokens.
  Draws() = default;

  /// Checks what `options` say of samples, and copies it. Throws Error BAMBA_INVALID_ARGUMENT or BAMBA_OUT_OF_RANGE
  /// that names the field.
  Draws(const bamba_request_options &options, uint32_t vocabulary);

  /// True where the host must know the answer before a draw. What penalties count can be awaited.
  bool needsAnswer() const;

  /// Once before the token after `answer` is drawn: asks the caller what it may be. Throws Error BAMBA_INVALID_ARGUMENT
  /// where it may be none.
  void allowAfter(std::span<const int32_t> answer);

  /// The parameters for the item of a batch that draws a token after both lists, which are only pointed to; null for
  /// the most likely token. Valid until the next call.
  const bamba_sampling *after(std::span<const int32_t> prompt, std::span<const int32_t> answer);

private:
  bool isSampled = false;
  uint32_t vocabulary = 0;
  bamba_sampling sampling = {};
  std::vector<bamba_logit_bias> bias;
  std::vector<uint32_t> allowed; ///< by the parameters; empty: all tokens
  bamba_allow_callback allow = nullptr;
  void *user = nullptr;
  std::vector<uint32_t> allowedNow; ///< by the callback and the parameters
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_DRAWS_H
