#include "runtime/support/error.h"
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

namespace bambac::rt {

void fillError(bamba_error *error, const char *message) noexcept {
  constexpr size_t start = offsetof(bamba_error, message);
  if (!error || error->struct_size <= start)
    return;
  size_t capacity = std::min(error->struct_size - start, sizeof(error->message));
  size_t length = std::strlen(message);
  if (length >= capacity) {
    length = capacity - 1;
    // A byte 10xxxxxx continues a UTF-8 character: step back to the start of the one that is cut.
    while (length > 0 && (static_cast<unsigned char>(message[length]) & 0xC0) == 0x80)
      --length;
  }
  for (size_t i = 0; i < length; ++i) {
    unsigned char c = static_cast<unsigned char>(message[i]);
    error->message[i] = c < 0x20 || c == 0x7F ? '?' : message[i];
  }
  error->message[length] = '\0';
}

bamba_status reportException(bamba_error *error) noexcept {
  try {
    throw;
  } catch (const Error &e) {
    fillError(error, e.what());
    return e.status();
  } catch (const std::bad_alloc &) {
    fillError(error, "out of memory");
    return BAMBA_OUT_OF_MEMORY;
  } catch (const std::length_error &) {
    fillError(error, "out of memory: a size is beyond what can be addressed");
    return BAMBA_OUT_OF_MEMORY;
  } catch (const std::system_error &e) {
    fillError(error, e.what());
    return BAMBA_IO_ERROR;
  } catch (const std::exception &e) {
    fillError(error, e.what());
    return BAMBA_INTERNAL;
  } catch (...) {
    fillError(error, "an exception of unknown type");
    return BAMBA_INTERNAL;
  }
}

} // namespace bambac::rt
