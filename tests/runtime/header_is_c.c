// The public headers in a translation unit of strict C11.

#include "runtime/contract/abi.h"
#include "runtime/include/bamba/bamba.h"
#include "runtime/include/bamba/engine.h"

int bambaHeaderIsC(void);
const char *nameOfStatus(int status);

// In C++ a number that is no enumerator cannot be passed.
const char *nameOfStatus(int status) { return bamba_status_name((bamba_status)status); }

int bambaHeaderIsC(void) {
  bamba_error error = {sizeof error, {0}};
  bamba_model_options options = {sizeof options, 0};
  bamba_session_options session = {sizeof session, 0, 0, 0, 0};
  bamba_batch_item item = {0, 0, 0, BAMBA_LOGITS_LAST, 0, 0, 0, 0, 0};
  return error.struct_size && options.struct_size && session.struct_size && !item.num_tokens ? BAMBA_ABI_VERSION : 0;
}
