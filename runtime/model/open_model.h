// Opens a library's model on a device: the one place that knows all devices.
#ifndef BAMBA_RUNTIME_MODEL_OPEN_MODEL_H
#define BAMBA_RUNTIME_MODEL_OPEN_MODEL_H

#include "runtime/model/model.h"

namespace bambac::rt {

/// Opens the library's model for `device`, as bamba_model_options say. `driver` names CUDA's driver library; null: the
/// system's. Throws Error BAMBA_UNSUPPORTED, BAMBA_INTERNAL for damaged tables, BAMBA_DEVICE_ERROR or
/// BAMBA_OUT_OF_MEMORY.
Model openModel(const bamba_rt_library &library, const char *device, const char *driver = nullptr);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_MODEL_OPEN_MODEL_H
