// The Bamba family: its config.json becomes a description of the model.
#ifndef BAMBAC_COMPILER_MODELS_BAMBAMODEL_H
#define BAMBAC_COMPILER_MODELS_BAMBAMODEL_H

#include "compiler/config/WarningHandler.h"
#include "compiler/models/ModelDescription.h"
#include "compiler/models/ModelSource.h"
#include "llvm/Support/Error.h"

namespace bambac {

struct BambaConfig;

/// The model that a configuration stands for, its weights named as Hugging Face's checkpoints name them.
ModelDescription describeBamba(const BambaConfig &config);

/// What its checkpoints may look like beyond the tensors of its weights.
CheckpointRules describeBambaCheckpoint(const BambaConfig &config);

/// Reads the object of a config.json and describes its model. A recipe of `source` counts where the object has none.
llvm::Expected<ModelDescription> readBamba(const ModelSource &source, WarningHandler warn);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_BAMBAMODEL_H
