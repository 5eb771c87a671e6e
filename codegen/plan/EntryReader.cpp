#include "codegen/plan/EntryReader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace bambac;
using namespace bambac::codegen;

static bool operator==(const bamba_rt_arg &a, const bamba_rt_arg &b) {
  return a.space == b.space && a.index == b.index && a.offset == b.offset;
}

/// The number of a name in the order of the enumerations of runtime/contract/abi.h.
static std::optional<uint32_t> numberOf(ArrayRef<StringLiteral> names, StringAttr name) {
  const StringLiteral *found = llvm::find(names, name.getValue());
  return found == names.end() ? std::nullopt : std::optional<uint32_t>(found - names.begin());
}

static LogicalResult checkType(func::FuncOp function, StringAttr name, Type found, Type elementType,
                               ArrayRef<int64_t> shape) {
  Type expected = RankedTensorType::get(shape, elementType);
  if (found == expected)
    return success();
  return function.emitError() << "expected " << name << " of type " << expected << ", found " << found;
}

LogicalResult EntryReader::read(func::FuncOp function) {
  auto kind = function->getAttrOfType<EntryAttr>(attr::kEntry);
  auto arena = function->getAttrOfType<IntegerAttr>(attr::kArenaBytes);
  if (!arena)
    return function.emitError() << "expected '" << attr::kArenaBytes << "' on the entry point, found no memory plan";
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "expected an entry point of one block, found " << function.getBlocks().size();
  entry.name = function.getSymName().str();
  entry.kind = kind.getKind();
  entry.batch = static_cast<uint32_t>(kind.getBatch());
  entry.chunk = static_cast<uint32_t>(kind.getChunk());
  entry.arenaBytes = arena.getValue().getZExtValue();
  if (failed(readInputs(function)) || failed(readOutputs(function)))
    return failure();
  for (Operation &op : function.front().without_terminator())
    if (failed(readOp(&op)))
      return failure();
  plan.entries.push_back(std::move(entry));
  return success();
}

LogicalResult EntryReader::readInputs(func::FuncOp function) {
  static constexpr StringLiteral names[] = {"tokens", "positions", "slots", "counts", "pages"};
  static_assert(std::size(names) == BAMBA_RT_NUM_INPUTS);
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), attr::kInput);
    std::optional<uint32_t> input = name ? numberOf(names, name) : std::nullopt;
    if (!input)
      return function.emitError() << "expected '" << attr::kInput << "' on argument " << argument.getArgNumber()
                                  << " to be one of " << llvm::join(ArrayRef(names), ", ") << ", found "
                                  << (name ? name.getValue() : "none");
    int64_t batch = entry.batch, rows = batch * entry.chunk;
    SmallVector<int64_t> shape{*input <= BAMBA_RT_INPUT_POSITIONS ? rows : batch};
    if (*input == BAMBA_RT_INPUT_PAGES)
      shape.push_back(plan.maxPages);
    // An entry point has all arguments, also those that its model has no use for.
    if (!argument.use_empty() &&
        failed(checkType(function, name, argument.getType(), IntegerType::get(function.getContext(), 32), shape)))
      return failure();
    places[argument] = {BAMBA_RT_SPACE_INPUT, *input, 0};
  }
  return success();
}

LogicalResult EntryReader::readOutputs(func::FuncOp function) {
  static constexpr StringLiteral names[] = {"logits", "greedy"};
  static_assert(std::size(names) == BAMBA_RT_NUM_OUTPUTS);
  int64_t kept = static_cast<int64_t>(entry.batch) * (entry.kind == EntryKind::Prefill ? 1 : entry.chunk);
  for (auto [number, value] : llvm::enumerate(function.front().getTerminator()->getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(number, attr::kOutput);
    std::optional<uint32_t> output = name ? numberOf(names, name) : std::nullopt;
    if (!output)
      return function.emitError() << "expected '" << attr::kOutput << "' on result " << number << " to be one of "
                                  << llvm::join(ArrayRef(names), ", ") << ", found "
                                  << (name ? name.getValue() : "none");
    if (!value.getDefiningOp<LaunchOp>())
      return function.emitError() << "expected result " << number << " to be the result of a launch";
    auto type = cast<RankedTensorType>(value.getType());
    Builder builder(function.getContext());
    if (*output == BAMBA_RT_OUTPUT_LOGITS) {
      if (!plan.vocabSize && type.getRank() == 2)
        plan.vocabSize = static_cast<uint32_t>(type.getDimSize(1));
      if (failed(checkType(function, name, type, builder.getF32Type(), {kept, plan.vocabSize})))
        return failure();
    } else if (failed(checkType(function, name, type, builder.getI32Type(), {kept}))) {
      return failure();
    }
    if (!outputs.try_emplace(value, bamba_rt_arg{BAMBA_RT_SPACE_OUTPUT, *output, 0}).second)
      return function.emitError() << "expected each result to be another value, found " << name << " returned twice";
  }
  return success();
}

LogicalResult EntryReader::setPlace(Value value, FailureOr<bamba_rt_arg> place) {
  if (failed(place))
    return failure();
  places[value] = *place;
  return success();
}

LogicalResult EntryReader::readOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<ml_program::GlobalLoadConstOp>(
          [&](auto load) { return setPlace(load.getResult(), globals.findWeight(load, load.getGlobal())); })
      .Case<ml_program::GlobalLoadOp>(
          [&](auto load) { return setPlace(load.getResult(), globals.findState(load, load.getGlobal())); })
      .Case<ml_program::GlobalStoreOp>([&](auto store) { return readStore(store); })
      .Case<LaunchOp>([&](auto launch) { return readLaunch(launch); })
      .Case<tensor::EmptyOp>([](auto) { return success(); }) // stands for the destination of a launch
      .Default([](Operation *other) {
        return other->emitError() << "expected only launches, loads and stores in an entry point, found '"
                                  << other->getName() << "'";
      });
}

/// A state is updated in place: what is stored must already lie in its pool.
LogicalResult EntryReader::readStore(ml_program::GlobalStoreOp store) {
  FailureOr<bamba_rt_arg> state = globals.findState(store, store.getGlobal());
  if (failed(state))
    return failure();
  auto place = places.find(store.getValue());
  if (place == places.end() || !(place->second == *state))
    return store.emitError() << "expected a value that was computed in the place of " << store.getGlobal();
  return success();
}

/// The size of a tensor in the arena, whose shape is static.
static uint64_t sizeInBytes(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return llvm::divideCeil(static_cast<uint64_t>(type.getNumElements()) * type.getElementTypeBitWidth(), 8);
}

/// Kernels are compiled as if nothing else lay where they write.
static LogicalResult checkDisjoint(LaunchOp launch, ArrayRef<bamba_rt_arg> args) {
  auto overlaps = [&](unsigned a, unsigned b) {
    return args[a].space == BAMBA_RT_SPACE_ARENA && args[b].space == BAMBA_RT_SPACE_ARENA &&
           args[a].offset < args[b].offset + sizeInBytes(launch->getOperand(b)) &&
           args[b].offset < args[a].offset + sizeInBytes(launch->getOperand(a));
  };
  for (unsigned written = launch.getInputs().size(); written < args.size(); ++written)
    for (unsigned other = 0; other < written; ++other)
      if (overlaps(written, other))
        return launch.emitError() << "expected operands " << other << " and " << written
                                  << " apart in the arena, found them overlapping";
  return success();
}

LogicalResult EntryReader::readLaunch(LaunchOp launch) {
  FailureOr<uint32_t> kernel = kernels.launch(launch);
  if (failed(kernel))
    return failure();
  if (!launch.getBuffers())
    return launch.emitError() << "expected 'buffers' on a launch, found no memory plan";
  PlanLaunch planned;
  planned.kernel = *kernel;
  for (unsigned number = 0; number < launch.getInputs().size(); ++number) {
    FailureOr<bamba_rt_arg> place = placeOfInput(launch, number);
    if (failed(place))
      return failure();
    planned.args.push_back(*place);
  }
  for (unsigned number = 0; number < launch.getNumResults(); ++number) {
    FailureOr<bamba_rt_arg> place = placeOfResult(launch, number);
    if (failed(setPlace(launch.getResult(number), place)))
      return failure();
    planned.args.push_back(*place);
  }
  if (failed(checkDisjoint(launch, planned.args)))
    return failure();
  entry.cost += plan.kernels[*kernel].cost;
  entry.launches.push_back(std::move(planned));
  return success();
}

FailureOr<bamba_rt_arg> EntryReader::placeOfInput(LaunchOp launch, unsigned number) {
  Value input = launch.getInputs()[number];
  auto place = places.find(input);
  if (place == places.end())
    return launch.emitError() << "expected input " << number << " to have been computed, found an uninitialized tensor";
  if (overwritten.contains(input))
    return launch.emitError() << "expected the newest value of a state as input " << number
                              << ", found one that is overwritten";
  return place->second;
}

LogicalResult EntryReader::checkBuffer(LaunchOp launch, unsigned number, BufferAttr buffer) {
  auto type = cast<RankedTensorType>(launch.getResult(number).getType());
  if (!type.hasStaticShape() || !type.getElementType().isIntOrFloat())
    return launch.emitError() << "expected result " << number << " in the arena to have a static size, found " << type;
  uint64_t needed = sizeInBytes(launch.getResult(number));
  if (buffer.getBytes() < 0 || static_cast<uint64_t>(buffer.getBytes()) < needed)
    return launch.emitError() << "expected a buffer of " << needed << " bytes for result " << number << ", found "
                              << buffer.getBytes();
  if (buffer.getOffset() < 0 || static_cast<uint64_t>(buffer.getOffset() + buffer.getBytes()) > entry.arenaBytes)
    return launch.emitError() << "expected result " << number << " inside the arena of " << entry.arenaBytes
                              << " bytes, found " << buffer;
  return success();
}

FailureOr<bamba_rt_arg> EntryReader::placeOfResult(LaunchOp launch, unsigned number) {
  Value init = launch.getInits()[number];
  auto initPlace = places.find(init);
  bool fresh = isFresh(init);
  if (!fresh && (initPlace == places.end() || overwritten.contains(init)))
    return launch.emitError() << "expected the newest value of a state as the destination of result " << number;

  bamba_rt_arg place;
  auto output = outputs.find(launch.getResult(number));
  if (auto buffer = dyn_cast<BufferAttr>((*launch.getBuffers())[number])) {
    if (output != outputs.end())
      return launch.emitError() << "expected no buffer for result " << number << ", which the entry point returns";
    if (failed(checkBuffer(launch, number, buffer)))
      return failure();
    place = {BAMBA_RT_SPACE_ARENA, 0, static_cast<uint64_t>(buffer.getOffset())};
  } else if (output != outputs.end()) {
    place = output->second;
  } else if (!fresh && initPlace->second.space == BAMBA_RT_SPACE_STATE) {
    place = initPlace->second;
  } else {
    return launch.emitError() << "expected a buffer for result " << number
                              << ", which is neither a state nor returned by the entry point";
  }
  if (fresh)
    return place;
  if (!(initPlace->second == place))
    return launch.emitError() << "expected result " << number << " in the place of its destination";
  overwritten.insert(init);
  return place;
}
