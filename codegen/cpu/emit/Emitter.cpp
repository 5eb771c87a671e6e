// Loops, memory and arithmetic as Emitter.h promises them.
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/Codes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/contract/entry_points.h"

namespace bambac::codegen {

/// Where the module names no target.
static constexpr int64_t kDefaultLanes = 8;
static constexpr int64_t kDefaultTileRows = 4;

/// Products and sums may contract to one instruction; nothing else about rounding is left open.
static constexpr arith::FastMathFlags kContract = arith::FastMathFlags::contract;

Emitter::Emitter(OpBuilder &builder, Operation *op, Value rows) : builder(builder), loc(op->getLoc()), rows(rows) {
  auto target = op->getParentOfType<ModuleOp>()->getAttrOfType<CpuTargetAttr>(attr::kTarget);
  lanes = target ? target.getLanes() : kDefaultLanes;
  uint64_t registers = target ? std::max<int64_t>(target.getVectorRegisters() / 4, 1) : kDefaultTileRows;
  tileRows = std::min<int64_t>(llvm::bit_floor(registers), lanes);
  schedule = op->getParentOfType<func::FuncOp>()->getAttrOfType<CpuScheduleAttr>(attr::kSchedule);
}

//===-- indices
//----------------------------------------------------------------------------------------------------===//

Value Emitter::index(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
Value Emitter::add(Value left, Value right) { return builder.createOrFold<arith::AddIOp>(loc, left, right); }
Value Emitter::sub(Value left, Value right) { return builder.createOrFold<arith::SubIOp>(loc, left, right); }
Value Emitter::mul(Value left, Value right) { return builder.createOrFold<arith::MulIOp>(loc, left, right); }
Value Emitter::div(Value left, Value right) { return builder.createOrFold<arith::DivUIOp>(loc, left, right); }
Value Emitter::min(Value left, Value right) { return builder.createOrFold<arith::MinSIOp>(loc, left, right); }
Value Emitter::max(Value left, Value right) { return builder.createOrFold<arith::MaxSIOp>(loc, left, right); }

Value Emitter::less(Value left, Value right) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, left, right);
}

Value Emitter::partSize(Value size, Value first, int64_t part) {
  std::optional<int64_t> constant = getConstantIntValue(size);
  return constant && *constant % part == 0 ? index(part) : min(index(part), sub(size, first));
}

Value Emitter::dim(Value memref, unsigned dimension) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return builder.createOrFold<memref::DimOp>(loc, memref, dimension);
}

Value Emitter::rowsThere(Value memref) {
  constexpr int64_t kAlwaysComputed = 32; // rows: as many are computed, there or not
  static_assert(kAlwaysComputed <= BAMBA_RT_KEPT_GRANULE, "there is memory for as many rows of logits");
  Value all = dim(memref, 0);
  std::optional<int64_t> known = getConstantIntValue(all);
  bool hasAll = schedule && !schedule.getWorkgroup().empty() && schedule.getWorkgroup().front() == 0;
  return rows && hasAll && known && *known > kAlwaysComputed ? min(all, loadIndex(rows, {index(0)})) : all;
}

Value Emitter::loadIndex(Value memref, ValueRange at) {
  Value loaded = memref::LoadOp::create(builder, loc, memref, at);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), loaded);
}

//===-- loops
//------------------------------------------------------------------------------------------------------===//

void Emitter::loop(Value begin, Value end, int64_t step, Body body) {
  loop(begin, end, step, {}, [&](Value at, ValueRange) {
    body(at);
    return Values();
  });
}

Emitter::Values Emitter::loop(Value begin, Value end, int64_t step, ValueRange inits, CarryingBody body) {
  std::optional<int64_t> first = getConstantIntValue(begin), last = getConstantIntValue(end);
  if (first && last && *first >= *last)
    return Values(inits);
  if (first && last && *first + step >= *last)
    return body(begin, inits);
  auto loopOp = scf::ForOp::create(builder, loc, begin, end, index(step), inits);
  OpBuilder::InsertionGuard guard(builder);
  // Without results the builder has already written the terminator.
  Block *block = loopOp.getBody();
  if (inits.empty()) {
    builder.setInsertionPoint(block->getTerminator());
    body(loopOp.getInductionVar(), {});
    return {};
  }
  builder.setInsertionPointToEnd(block);
  Values results = body(loopOp.getInductionVar(), loopOp.getRegionIterArgs());
  scf::YieldOp::create(builder, loc, results);
  return Values(loopOp.getResults());
}

void Emitter::when(Value condition, llvm::function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(ifOp.thenYield());
  body();
}

void Emitter::pieces(Value starts, PieceBody body) {
  loop(add(dim(starts, 0), -1), [&](Value piece) {
    Value first = loadIndex(starts, {piece}), end = loadIndex(starts, {add(piece, 1)});
    when(less(first, end), [&] { body(piece, first, sub(end, first)); });
  });
}

void Emitter::columns(Value size, int64_t width, ColumnBody body) {
  columns(size, width, {}, [&](Value column, Lanes lanes, ValueRange) {
    body(column, lanes);
    return Values();
  });
}

Emitter::Values Emitter::columns(Value size, int64_t width, ValueRange inits, CarryingColumnBody body) {
  std::optional<int64_t> constant = getConstantIntValue(size);
  Value whole = mul(div(size, index(width)), width);
  Values carried = loop(index(0), whole, width, inits,
                        [&](Value column, ValueRange values) { return body(column, Lanes{width, Value()}, values); });
  if (constant) {
    int64_t tail = *constant % width;
    return tail == 0 ? carried : body(whole, lanesBefore(index(tail), width), carried);
  }
  // At most one iteration, so that a size that happens to fit costs nothing.
  return loop(whole, size, width, carried, [&](Value column, ValueRange values) {
    return body(column, lanesBefore(sub(size, column), width), values);
  });
}

void Emitter::rowTiles(Value begin, Value end, int64_t tile, RowBody body) {
  Value count = sub(end, begin);
  std::optional<int64_t> constant = getConstantIntValue(count);
  Value whole = add(begin, mul(div(count, index(tile)), tile));
  loop(begin, whole, tile, [&](Value row) { body(row, tile); });
  if (constant && *constant % tile != 0)
    body(whole, *constant % tile);
  else if (!constant && tile > 1)
    loop(whole, end, 1, [&](Value row) { body(row, 1); });
}

//===-- memory
//-----------------------------------------------------------------------------------------------------===//

Value Emitter::scratch(ArrayRef<int64_t> shape, Type element) {
  return memref::AllocOp::create(builder, loc, MemRefType::get(shape, element ? element : builder.getF32Type()));
}

Value Emitter::extend(Value value) {
  if (getElementTypeOrSelf(value.getType()).isF32())
    return value;
  if (isa<Float8E4M3FNType>(getElementTypeOrSelf(value.getType())))
    return decodeE4m3(*this, value);
  Type type = builder.getF32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(type);
  return arith::ExtFOp::create(builder, loc, type, value);
}

Value Emitter::truncate(Value value, Type elementType) {
  if (getElementTypeOrSelf(value.getType()) == elementType)
    return value;
  if (isa<Float8E4M3FNType>(elementType))
    return encodeE4m3(*this, value);
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    elementType = vector.clone(elementType);
  return arith::TruncFOp::create(builder, loc, elementType, value);
}

Value Emitter::load(Value memref, ValueRange at) { return extend(memref::LoadOp::create(builder, loc, memref, at)); }

Value Emitter::load(Value memref, ValueRange at, Lanes lanes) {
  Type elementType = getElementTypeOrSelf(memref.getType());
  auto type = VectorType::get(lanes.width, elementType);
  if (!lanes.mask)
    return extend(vector::LoadOp::create(builder, loc, type, memref, at));
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return extend(vector::MaskedLoadOp::create(builder, loc, type, memref, at, lanes.mask, zero));
}

void Emitter::store(Value value, Value memref, ValueRange at) {
  memref::StoreOp::create(builder, loc, truncate(value, getElementTypeOrSelf(memref.getType())), memref, at);
}

void Emitter::store(Value value, Value memref, ValueRange at, Lanes lanes) {
  value = truncate(value, getElementTypeOrSelf(memref.getType()));
  if (lanes.mask)
    vector::MaskedStoreOp::create(builder, loc, memref, at, lanes.mask, value);
  else
    vector::StoreOp::create(builder, loc, value, memref, at);
}

Lanes Emitter::lanesBefore(Value size, int64_t width) {
  std::optional<int64_t> constant = getConstantIntValue(size);
  if (constant && *constant >= width)
    return {width, Value()};
  auto type = VectorType::get(width, builder.getI1Type());
  if (constant)
    return {width, vector::ConstantMaskOp::create(builder, loc, type, std::max<int64_t>(*constant, 0))};
  return {width, vector::CreateMaskOp::create(builder, loc, type, size)};
}

//===-- f32 scalars and vectors
//--------------------------------------------------------------------------------------===//

Value Emitter::f32(double value) {
  return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(static_cast<float>(value)));
}

Value Emitter::broadcast(Value scalar, int64_t width) {
  return vector::BroadcastOp::create(builder, loc, VectorType::get(width, builder.getF32Type()), scalar);
}

Value Emitter::constantLike(Value like, double value) {
  auto vector = dyn_cast<VectorType>(like.getType());
  return vector ? splat(value, vector.getDimSize(0)) : f32(value);
}

Value Emitter::addf(Value left, Value right) { return arith::AddFOp::create(builder, loc, left, right, kContract); }
Value Emitter::subf(Value left, Value right) { return arith::SubFOp::create(builder, loc, left, right, kContract); }
Value Emitter::mulf(Value left, Value right) { return arith::MulFOp::create(builder, loc, left, right, kContract); }
Value Emitter::divf(Value left, Value right) { return arith::DivFOp::create(builder, loc, left, right, kContract); }
Value Emitter::maxf(Value left, Value right) { return arith::MaxNumFOp::create(builder, loc, left, right, kContract); }
Value Emitter::minf(Value left, Value right) { return arith::MinNumFOp::create(builder, loc, left, right, kContract); }
Value Emitter::negf(Value value) { return arith::NegFOp::create(builder, loc, value); }

Value Emitter::fma(Value left, Value right, Value sum) {
  return math::FmaOp::create(builder, loc, left, right, sum, kContract);
}

Value Emitter::exp(Value value) { return math::ExpOp::create(builder, loc, value); }

Value Emitter::rsqrt(Value value) { return divf(constantLike(value, 1.0), math::SqrtOp::create(builder, loc, value)); }

Value Emitter::silu(Value value) { return divf(value, addf(constantLike(value, 1.0), exp(negf(value)))); }

Value Emitter::softplus(Value value) {
  Value decay = exp(negf(math::AbsFOp::create(builder, loc, value)));
  return addf(maxf(value, constantLike(value, 0.0)), math::Log1pOp::create(builder, loc, decay));
}

Value Emitter::sum(Value vector) {
  // In any order, the same for every kernel of one build.
  return vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD, vector, arith::FastMathFlags::reassoc);
}

Value Emitter::largest(Value vector) {
  return vector::ReductionOp::create(builder, loc, vector::CombiningKind::MAXNUMF, vector);
}

Value Emitter::select(Value condition, Value ifTrue, Value ifFalse) {
  return arith::SelectOp::create(builder, loc, condition, ifTrue, ifFalse);
}

} // namespace bambac::codegen
