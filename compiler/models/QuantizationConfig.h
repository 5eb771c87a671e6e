// Reads what a checkpoint's files say of its quantization, in the formats that tools write.
#ifndef BAMBAC_COMPILER_MODELS_QUANTIZATIONCONFIG_H
#define BAMBAC_COMPILER_MODELS_QUANTIZATIONCONFIG_H

#include "compiler/models/QuantizationRecipe.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace bambac {

class FieldReader;

/// Reads the field quantization_config of a config.json, of compressed-tensors, transformers' fp8 or ModelOpt. None
/// where there is no such field, or an empty one. What is not understood is a mistake of the reader.
std::optional<QuantizationRecipe> readQuantizationConfig(FieldReader &config, std::vector<std::string> &warnings);

/// Reads ModelOpt's hf_quant_config.json in the folder of a config.json; none where there is no such file, or where the
/// configuration has another name.
llvm::Expected<std::optional<QuantizationRecipe>> readQuantizationFileNextTo(llvm::StringRef configPath);

/// What the formats share, each of which has a file of its own. A reader is one of the format's object.
namespace quantization {

void readCompressedTensors(FieldReader &reader, QuantizationRecipe &recipe);
void readFineGrainedFp8(FieldReader &reader, QuantizationRecipe &recipe);
void readModelOpt(FieldReader &reader, QuantizationRecipe &recipe);

using ParsePattern = llvm::Expected<ModulePattern> (*)(llvm::StringRef);

/// The patterns of a field, which need not be there.
std::vector<ModulePattern> readPatterns(FieldReader &reader, llvm::StringRef field, ParsePattern parse);

/// Fails where a field has another value; a file without the field, or with null, says `expected`.
void expectValue(FieldReader &reader, llvm::StringRef field, const llvm::json::Value &expected);

/// Weights in blocks of the two sizes of a field, rows and columns; `expected` says what it should be where there are
/// not two.
void readBlockSizes(FieldReader &reader, llvm::StringRef field, const llvm::json::Array &sizes,
                    const llvm::Twine &expected, QuantizationScheme &scheme);

/// A text of the file as it may stand in a message: on one line, without quotes.
std::string showText(llvm::StringRef text);

/// Whether there is a field kv_cache_scheme, which says e4m3 with one static scale.
bool readsKvScheme(FieldReader &reader);

} // namespace quantization
} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_QUANTIZATIONCONFIG_H
