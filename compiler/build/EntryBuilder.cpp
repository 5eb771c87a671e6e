// The frame of an entry point: its signature, the walk over the layers, and the small ops that layers share.
#include "compiler/build/EntryBuilder.h"
#include "dialects/bamba/EntryPoint.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "runtime/contract/sampling.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace bambac {

EntryBuilder::EntryBuilder(ModuleOp module, Globals &globals, const ModelDescription &model,
                           const CompileLimits &limits, const ElementTypes &types, EntryAttr entry)
    : module(module), globals(globals), model(model), limits(limits), types(types), entry(entry),
      builder(module.getContext()), loc(builder.getUnknownLoc()) {}

void EntryBuilder::enter(std::string newPart) {
  part = std::move(newPart);
  loc = NameLoc::get(builder.getStringAttr(part));
}

static std::string entryName(EntryAttr entry) {
  bool decodes = entry.getKind() == EntryKind::Decode;
  return (stringifyEntryKind(entry.getKind()) + (decodes ? "_b" : "_t") +
          Twine(decodes ? entry.getBatch() : entry.getChunk()))
      .str();
}

func::FuncOp EntryBuilder::createFunction() {
  int64_t pages = static_cast<int64_t>(llvm::divideCeil(*limits.maxContext, limits.pageTokens));
  EntrySizes sizes(entry, pages, model.vocabSize);
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
            .starts = body->getArgument(BAMBA_RT_INPUT_STARTS),
            .pending = body->getArgument(BAMBA_RT_INPUT_PENDING),
            .pieces = body->getArgument(BAMBA_RT_INPUT_PIECES),
            .kept = body->getArgument(BAMBA_RT_INPUT_KEPT),
            .sampling = body->getArgument(BAMBA_RT_INPUT_SAMPLING),
            .pages = body->getArgument(BAMBA_RT_INPUT_PAGES)};
  SmallVector<Value> results = buildModel();
  func::ReturnOp::create(builder, loc, results);
  return function;
}

SmallVector<Value> EntryBuilder::buildModel() {
  enter("model");
  int64_t rows = entry.getRows();
  Value table = loadWeight(model.embedding);
  Value x =
      EmbeddingOp::create(builder, loc, inputs.tokens, table, empty({rows, model.hiddenSize}, types.wide)).getResult();
  for (auto [number, layer] : llvm::enumerate(model.layers)) {
    enter("layers." + std::to_string(number));
    for (const ResidualBlock &block : layer.blocks) {
      Value normed = buildNorm(x, block.norm);
      x = add(x, std::visit([&](const auto &body) { return buildBody(body, normed); }, block.body));
    }
  }
  enter("model");
  if (entry.getKind() != EntryKind::Decode)
    x = TakeRowsOp::create(builder, loc, x, inputs.kept, empty({entry.getKeptRows(), model.hiddenSize}, types.wide))
            .getResult();
  Value logits = buildLinear(buildNorm(x, model.finalNorm), model.head, types.wide);
  int64_t kept = cast<RankedTensorType>(logits.getType()).getDimSize(0);
  Value greedy = ArgmaxOp::create(builder, loc, logits, empty({kept}, builder.getI32Type())).getResult();
  bool keepsAll = entry.getKind() == EntryKind::Decode;
  Value samples = empty({kept, BAMBA_RT_SAMPLE_WORDS}, builder.getI32Type());
  samples = SampleOp::create(builder, loc, logits, greedy, inputs.positions, inputs.sampling, samples,
                             keepsAll ? Value() : inputs.kept)
                .getResult();
  SmallVector<Value> results(BAMBA_RT_NUM_OUTPUTS);
  results[BAMBA_RT_OUTPUT_LOGITS] = logits;
  results[BAMBA_RT_OUTPUT_GREEDY] = greedy;
  results[BAMBA_RT_OUTPUT_SAMPLES] = samples;
  return results;
}

Value EntryBuilder::buildBody(const SwigluMlp &mlp, Value input) {
  Value gate = buildLinear(input, mlp.gate);
  Value up = buildLinear(input, mlp.up);
  Value hidden = SwigluOp::create(builder, loc, gate, up, emptyLike(input, mlp.gate.outputs())).getResult();
  return buildLinear(hidden, mlp.down, types.wide);
}

Value EntryBuilder::loadWeight(const Weight &weight) {
  ml_program::GlobalOp global = globals.getWeight(weight);
  return ml_program::GlobalLoadConstOp::create(builder, loc, global.getType(), FlatSymbolRefAttr::get(global));
}

Value EntryBuilder::loadWeight(const std::optional<Weight> &weight) { return weight ? loadWeight(*weight) : Value(); }

ml_program::GlobalOp EntryBuilder::getState(StringRef name, StateKind kind, ArrayRef<int64_t> itemShape, Type element) {
  return globals.getState((part + "." + name).str(), kind, itemShape, element);
}

Value EntryBuilder::loadState(ml_program::GlobalOp state) {
  return ml_program::GlobalLoadOp::create(builder, loc, state.getType(), FlatSymbolRefAttr::get(state));
}

void EntryBuilder::storeState(ml_program::GlobalOp state, Value value) {
  ml_program::GlobalStoreOp::create(builder, loc, FlatSymbolRefAttr::get(state), value);
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

Value EntryBuilder::sliceColumns(Value matrix, Columns columns) {
  int64_t rows = cast<RankedTensorType>(matrix.getType()).getDimSize(0);
  auto index = [&](int64_t value) { return OpFoldResult(builder.getIndexAttr(value)); };
  return tensor::ExtractSliceOp::create(builder, loc, matrix, {index(0), index(columns.first)},
                                        {index(rows), index(columns.count)}, {index(1), index(1)});
}

Value EntryBuilder::buildNorm(Value input, const Weight &scale) {
  int64_t rows = cast<RankedTensorType>(input.getType()).getDimSize(0);
  Value factors = loadWeight(scale), init = empty({rows, model.hiddenSize}, types.activation);
  return RmsNormOp::create(builder, loc, input, factors, init, builder.getF64FloatAttr(model.normEps)).getResult();
}

std::pair<Value, Value> EntryBuilder::buildQuantized(Value input, const Quantization &quantization) {
  ml_program::GlobalOp fixed; // the static scales
  if (quantization.inputScales)
    fixed = globals.getWeight(*quantization.inputScales);
  if (!lastQuantized || lastQuantized.getInput() != input || lastFixed != fixed ||
      lastQuantized.getGroup() != static_cast<uint64_t>(quantization.group)) {
    lastFixed = fixed;
    auto type = cast<RankedTensorType>(input.getType());
    int64_t groups = quantization.scales.shape.front();
    Value staticScales = loadWeight(quantization.inputScales);
    Value codes = empty(type.getShape(), types.inputCodes), scales = empty({type.getDimSize(0), groups}, types.wide);
    lastQuantized = QuantizeOp::create(builder, loc, codes.getType(), scales.getType(), input, codes, scales,
                                       staticScales, builder.getI64IntegerAttr(quantization.group));
  }
  return {lastQuantized.getResult(), lastQuantized.getScales()};
}

Value EntryBuilder::buildLinear(Value input, const Linear &linear, Type element) {
  int64_t rows = cast<RankedTensorType>(input.getType()).getDimSize(0), group = 0;
  bool accumulatesFast = false;
  Value inputScales, weightScales;
  if (linear.quantization) {
    std::tie(input, inputScales) = buildQuantized(input, *linear.quantization);
    weightScales = loadWeight(linear.quantization->scales);
    group = linear.quantization->group;
    accumulatesFast = limits.accumulatesFast && linear.quantization->hasScalesOfRows();
  }
  Value matrix = loadWeight(linear.matrix), bias = loadWeight(linear.bias);
  Value init = empty({rows, linear.outputs()}, element ? element : types.activation);
  return LinearOp::create(builder, loc, init.getType(), input, matrix, init, bias, inputScales, weightScales,
                          builder.getF32Type(), group, accumulatesFast, /*terms=*/{})
      .getResult();
}

Value EntryBuilder::add(Value lhs, Value rhs) {
  int64_t width = cast<RankedTensorType>(lhs.getType()).getDimSize(1);
  return linalg::AddOp::create(builder, loc, ValueRange{lhs, rhs}, ValueRange{emptyLike(lhs, width)}).getResult(0);
}

} // namespace bambac
