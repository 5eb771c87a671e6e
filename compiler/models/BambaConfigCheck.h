// How the fields of a Bamba configuration must fit together.
#ifndef BAMBAC_COMPILER_MODELS_BAMBACONFIGCHECK_H
#define BAMBAC_COMPILER_MODELS_BAMBACONFIGCHECK_H

#include "compiler/config/FieldReader.h"
#include "compiler/models/BambaConfig.h"
#include "compiler/models/ConfigLimits.h"

namespace bambac {

/// Half of each head turns, unless the hub's field says how much.
RopeDefaults ropeDefaults(const BambaConfig &config);

/// Finds shapes that cannot be and sizes beyond the limits. Mamba and attention fields count where a layer uses them.
void checkConsistency(FieldReader &reader, const BambaConfig &config);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_BAMBACONFIGCHECK_H
