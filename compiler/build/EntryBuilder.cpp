// The frame of an entry point: its signature, the walk over the layers, and the small ops that layers share.
#include "compiler/build/EntryBuilder.h"
#include "compiler/build/Globals.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace bambac {

EntryBuilder::EntryBuilder(ModuleOp module, SymbolTable &symbols, const ModelConfig &config,
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
  int64_t batch = entry.getBatch(), rows = batch * entry.getChunk();
  int64_t kept = entry.getKind() == EntryKind::Prefill ? batch : rows;
  int64_t pages = static_cast<int64_t>(llvm::divideCeil(*limits.maxContext, limits.pageTokens));
  auto tensorOf = [&](ArrayRef<int64_t> shape, Type element) { return RankedTensorType::get(shape, element); };
  Type i32 = builder.getI32Type();
  const std::pair<StringRef, Type> arguments[] = {{"tokens", tensorOf({rows}, i32)},
                                                  {"positions", tensorOf({rows}, i32)},
                                                  {"slots", tensorOf({batch}, i32)},
                                                  {"counts", tensorOf({batch}, i32)},
                                                  {"pages", tensorOf({batch, pages}, i32)}};
  const std::pair<StringRef, Type> results[] = {{"logits", tensorOf({kept, config.vocabSize}, types.wide)},
                                                {"greedy", tensorOf({kept}, i32)}};
  auto type = builder.getFunctionType(llvm::to_vector(llvm::make_second_range(arguments)),
                                      llvm::to_vector(llvm::make_second_range(results)));
  auto function = func::FuncOp::create(builder, loc, entryName(entry), type);
  function->setAttr(attr::kEntry, entry);
  for (auto [index, argument] : llvm::enumerate(arguments))
    function.setArgAttr(index, attr::kInput, builder.getStringAttr(argument.first));
  for (auto [index, result] : llvm::enumerate(results))
    function.setResultAttr(index, attr::kOutput, builder.getStringAttr(result.first));
  return function;
}

func::FuncOp EntryBuilder::build() {
  builder.setInsertionPointToEnd(module.getBody());
  func::FuncOp function = createFunction();
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  inputs = {body->getArgument(0), body->getArgument(1), body->getArgument(2), body->getArgument(3),
            body->getArgument(4)};
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
  return {logits, greedy};
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
