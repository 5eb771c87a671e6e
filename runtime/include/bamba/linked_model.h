/* Models with a symbol prefix, so that one program can be linked to several.
 *
 * All models export the same functions, so a program is linked to one at most; where it is linked to two,
 * bamba_model_open fails with BAMBA_UNSUPPORTED. `bambac compile --symbol-prefix=draft_` puts draft_ before the name of
 * each function. A program that is linked to such a model declares its table of functions at file scope,
 *
 *   BAMBA_DECLARE_MODEL(draft_);
 *
 * and gets it from draft_bamba_get_api(BAMBA_ABI_VERSION). One that opens the library with dlopen looks up
 * "draft_bamba_get_api". */
#ifndef BAMBA_LINKED_MODEL_H
#define BAMBA_LINKED_MODEL_H

#include "bamba/bamba.h"

#ifdef __cplusplus
#define BAMBA_DECLARE_MODEL(prefix) extern "C" BAMBA_API const bamba_api *prefix##bamba_get_api(uint32_t abi_version)
#else
#define BAMBA_DECLARE_MODEL(prefix) BAMBA_API const bamba_api *prefix##bamba_get_api(uint32_t abi_version)
#endif

#endif /* BAMBA_LINKED_MODEL_H */
