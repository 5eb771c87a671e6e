// Walks the function once and notes for each value where it lives; a value that no launch or argument gave is an error.
#include "codegen/plan/EntryReader.h"
#include "dialects/bamba/EntryPoint.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace bambac;
using namespace bambac::codegen;

static bool operator==(const bamba_rt_arg &a, const bamba_rt_arg &b) {
  return a.space == b.space && a.index == b.index && a.offset == b.offset;
}

static LogicalResult checkType(func::FuncOp function, const contract::EntryArray &array, Type found,
                               const EntrySizes &sizes) {
  Type expected = typeOf(function.getContext(), array, sizes);
  if (found == expected)
    return success();
  return function.emitError() << "expected \"" << array.name << "\" of type " << expected << ", found " << found;
}

/// The array that an argument or result is by its attribute; fails with an error where it is none of them.
static FailureOr<const contract::EntryArray *> readArray(func::FuncOp function, ArrayRef<contract::EntryArray> arrays,
                                                         StringAttr name, StringRef attribute, const Twine &place) {
  const contract::EntryArray *array = name ? findArray(arrays, name.getValue()) : nullptr;
  if (array)
    return array;
  return function.emitError() << "expected '" << attribute << "' on " << place << " to be one of " << listNames(arrays)
                              << ", found " << (name ? name.getValue() : "none");
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
  entry.kept = static_cast<uint32_t>(kind.getKeptRows());
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
  EntrySizes sizes(function->getAttrOfType<EntryAttr>(attr::kEntry), plan.maxPages, plan.vocabSize);
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto name = function.getArgAttrOfType<StringAttr>(number, attr::kInput);
    FailureOr<const contract::EntryArray *> input =
        readArray(function, contract::kInputs, name, attr::kInput, "argument " + Twine(number));
    if (failed(input))
      return failure();
    // An entry point has all arguments, also those that its model has no use for.
    if (!argument.use_empty() && failed(checkType(function, **input, argument.getType(), sizes)))
      return failure();
    places[argument] = {BAMBA_RT_SPACE_INPUT, (*input)->number, 0};
  }
  return success();
}

LogicalResult EntryReader::readOutputs(func::FuncOp function) {
  auto kind = function->getAttrOfType<EntryAttr>(attr::kEntry);
  for (auto [number, value] : llvm::enumerate(function.front().getTerminator()->getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(number, attr::kOutput);
    FailureOr<const contract::EntryArray *> output =
        readArray(function, contract::kOutputs, name, attr::kOutput, "result " + Twine(number));
    if (failed(output))
      return failure();
    if (!value.getDefiningOp<LaunchOp>())
      return function.emitError() << "expected result " << number << " to be the result of a launch";
    auto type = cast<RankedTensorType>(value.getType());
    // The first entry point says how large the vocabulary is, all others must agree.
    if ((*output)->number == BAMBA_RT_OUTPUT_LOGITS && !plan.vocabSize && type.getRank() == 2)
      plan.vocabSize = static_cast<uint32_t>(type.getDimSize(1));
    if (failed(checkType(function, **output, type, EntrySizes(kind, plan.maxPages, plan.vocabSize))))
      return failure();
    if (!outputs.try_emplace(value, bamba_rt_arg{BAMBA_RT_SPACE_OUTPUT, (*output)->number, 0}).second)
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
