// The frame of an entry point: its signature, the walk over the layers, and the small ops that layers share.
#include "compiler/build/EntryBuilder.h"
#include "compiler/build/Globals.h"
#include "dialects/bamba/EntryPoint.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace bambac {

EntryBuilder::EntryBuilder(ModuleOp module, SymbolTable &symbols, const BambaConfig &config,
                           const CompileLimits &limits, const ElementTypes &types, EntryAttr entry)
    : module(module), symbols(symbols), config(config), limits(limits), types(types), entry(entry),
      builder(module.getContext()), loc(builder.getUnknownLoc()) {}

void EntryBuilder::enter(const Twine &prefix) {
  scope = prefix.str();
  loc = NameLoc::get(builder.getStringAttr(scope.empty() ? "model" : StringRef(scope).rtrim('.')));
}

static std::string entryName(EntryAttr entry) {
  bool decodes = entry.getKind() == EntryKind::Decode;
  return (stringifyEntryKind(entry.getKind()) + (decodes ? "_b" : "_t") +
          Twine(decodes ? entry.getBatch() : entry.getChunk()))
      .str();
}

func::FuncOp EntryBuilder::createFunction() {
  int64_t pages = static_cast<int64_t>(llvm::divideCeil(*limits.maxContext, limits.pageTokens));
  EntrySizes sizes(entry, pages, config.vocabSize);
  auto typesOf = [&](ArrayRef<contract::EntryArray> arrays) {
    return llvm::map_to_vector(
        arrays, [&](const contract::EntryArray &array) -> Type { return typeOf(builder.getContext(), array, sizes); });
  };
  auto type = builder.getFunctionType(typesOf(contract::kInputs), typesOf(contract::kOutputs));
  auto function = func::FuncOp::create(builder, loc, entryName(entry), type);
  function->setAttr(attr::kEntry, entry);
  for (const contract::EntryArray &input : contract::kInputs)
    function.setArgAttr(input.number, attr::kInput, builder.getStringAttr(input.name));
  for (const contract::EntryArray &output : contract::kOutputs)
    function.setResultAttr(output.number, attr::kOutput, builder.getStringAttr(output.name));
  return function;
}

func::FuncOp EntryBuilder::build() {
  builder.setInsertionPointToEnd(module.getBody());
  func::FuncOp function = createFunction();
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  inputs = {.tokens = body->getArgument(BAMBA_RT_INPUT_TOKENS),
            .positions = body->getArgument(BAMBA_RT_INPUT_POSITIONS),
            .slots = body->getArgument(BAMBA_RT_INPUT_SLOTS),
            .counts = body->getArgument(BAMBA_RT_INPUT_COUNTS),
            .pages = body->getArgument(BAMBA_RT_INPUT_PAGES)};
  SmallVector<Value> results = buildModel();
  func::ReturnOp::create(builder, loc, results);
  return function;
}

SmallVector<Value> EntryBuilder::buildModel() {
  enter("");
  int64_t rows = entry.getBatch() * entry.getChunk();
  Value table = weight("embed_tokens");
  Value x =
      EmbeddingOp::create(builder, loc, inputs.tokens, table, empty({rows, config.hiddenSize}, types.wide)).getResult();
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    enter(inLayer(layer, ""));
    Value normed = norm(x, "input_layernorm");
    x = add(x, config.isAttention[layer] ? buildAttention(normed) : buildMamba(normed));
    x = add(x, buildMlp(norm(x, "pre_ff_layernorm")));
  }
  enter("");
  if (entry.getKind() == EntryKind::Prefill)
    x = LastTokenOp::create(builder, loc, x, inputs.counts, empty({entry.getBatch(), config.hiddenSize}, types.wide))
            .getResult();
  Value logits = linear(norm(x, "final_layernorm"), "lm_head", types.wide);
  int64_t kept = cast<RankedTensorType>(logits.getType()).getDimSize(0);
  Value greedy = ArgmaxOp::create(builder, loc, logits, empty({kept}, builder.getI32Type())).getResult();
  SmallVector<Value> results(BAMBA_RT_NUM_OUTPUTS);
  results[BAMBA_RT_OUTPUT_LOGITS] = logits;
  results[BAMBA_RT_OUTPUT_GREEDY] = greedy;
  return results;
}

Value EntryBuilder::buildMlp(Value input) {
  Value gate = linear(input, "feed_forward.gate_proj");
  Value up = linear(input, "feed_forward.up_proj");
  Value hidden = SwigluOp::create(builder, loc, gate, up, emptyLike(input, config.intermediateSize)).getResult();
  return linear(hidden, "feed_forward.down_proj", types.wide);
}

ml_program::GlobalOp EntryBuilder::findGlobal(StringRef name) {
  return symbols.lookup<ml_program::GlobalOp>(scope + name.str());
}

Value EntryBuilder::optionalWeight(StringRef name) {
  ml_program::GlobalOp global = findGlobal(name);
  if (!global)
    return nullptr;
  return ml_program::GlobalLoadConstOp::create(builder, loc, global.getType(), FlatSymbolRefAttr::get(global));
}

Value EntryBuilder::weight(StringRef name) {
  Value value = optionalWeight(name);
  assert(value && "the layers and the globals are made from the same configuration");
  return value;
}

Value EntryBuilder::loadState(StringRef name) {
  ml_program::GlobalOp global = findGlobal(name);
  return ml_program::GlobalLoadOp::create(builder, loc, global.getType(), FlatSymbolRefAttr::get(global));
}

void EntryBuilder::storeState(StringRef name, Value value) {
  ml_program::GlobalStoreOp::create(builder, loc, FlatSymbolRefAttr::get(findGlobal(name)), value);
}

Value EntryBuilder::empty(ArrayRef<int64_t> shape, Type element) {
  return tensor::EmptyOp::create(builder, loc, shape, element);
}

Value EntryBuilder::emptyLike(Value like, int64_t width) {
  auto type = cast<RankedTensorType>(like.getType());
  return empty({type.getDimSize(0), width}, type.getElementType());
}

Value EntryBuilder::activations(Value like, int64_t width) {
  return empty({cast<RankedTensorType>(like.getType()).getDimSize(0), width}, types.activation);
}

Value EntryBuilder::columns(Value matrix, int64_t offset, int64_t count) {
  int64_t rows = cast<RankedTensorType>(matrix.getType()).getDimSize(0);
  auto index = [&](int64_t value) { return OpFoldResult(builder.getIndexAttr(value)); };
  return tensor::ExtractSliceOp::create(builder, loc, matrix, {index(0), index(offset)}, {index(rows), index(count)},
                                        {index(1), index(1)});
}

Value EntryBuilder::norm(Value input, StringRef weightName) {
  int64_t rows = cast<RankedTensorType>(input.getType()).getDimSize(0);
  Value scale = weight(weightName), init = empty({rows, config.hiddenSize}, types.activation);
  return RmsNormOp::create(builder, loc, input, scale, init, builder.getF64FloatAttr(config.rmsNormEps)).getResult();
}

Value EntryBuilder::linear(Value input, StringRef name, Type element) {
  Value matrix = weight(name), bias = optionalWeight((name + ".bias").str());
  int64_t rows = cast<RankedTensorType>(input.getType()).getDimSize(0);
  int64_t outputs = cast<RankedTensorType>(matrix.getType()).getDimSize(0);
  Value init = empty({rows, outputs}, element ? element : types.activation);
  return LinearOp::create(builder, loc, input, matrix, init, bias, builder.getF32Type()).getResult();
}

Value EntryBuilder::add(Value lhs, Value rhs) {
  int64_t width = cast<RankedTensorType>(lhs.getType()).getDimSize(1);
  return linalg::AddOp::create(builder, loc, ValueRange{lhs, rhs}, ValueRange{emptyLike(lhs, width)}).getResult(0);
}

} // namespace bambac
