// Writes loops, index arithmetic and f32 vector code over memrefs in few words.
//
// All arithmetic is in f32, whatever the memory holds: loads extend and stores round. Sizes and places are index
// values; constants fold, so that a loop of one iteration or a mask of ones leaves no trace.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_EMITTER_H
#define BAMBAC_CODEGEN_CPU_EMIT_EMITTER_H

#include "dialects/bamba/Bamba.h"
#include "mlir/IR/Builders.h"

namespace bambac::codegen {

/// Which elements of a row one vector holds.
struct Lanes {
  int64_t width = 0;
  /// vector<width x i1>; null where all lanes count.
  Value mask;
};

class Emitter {
public:
  /// Code goes to the insertion point of `builder`; target and schedule are those of the kernel around `op`.
  /// `rows`: the memref that says how many rows of the kernel are there; null where all are.
  Emitter(OpBuilder &builder, Operation *op, Value rows = {});

  OpBuilder &getBuilder() { return builder; }
  Location getLoc() const { return loc; }
  /// 32-bit lanes of a vector register.
  int64_t getLanes() const { return lanes; }
  /// Rows of a register tile of two registers each: half the register file, the rest is for what they multiply. Divides
  /// the lanes of a register.
  int64_t getTileRows() const { return tileRows; }
  CpuScheduleAttr getSchedule() const { return schedule; }
  int64_t roundUp(int64_t size) const { return (size + lanes - 1) / lanes * lanes; }

  //===-- indices ------------------------------------------------------------------------------------------------===//
  Value index(int64_t value);
  Value add(Value left, Value right);
  Value sub(Value left, Value right);
  Value mul(Value left, Value right);
  Value div(Value left, Value right);
  Value min(Value left, Value right);
  Value max(Value left, Value right);
  Value less(Value left, Value right);
  /// What is left of `size` from `first` on, at most `part`; constant where all parts are whole.
  Value partSize(Value size, Value first, int64_t part);
  Value add(Value left, int64_t right) { return add(left, index(right)); }
  Value mul(Value left, int64_t right) { return mul(left, index(right)); }
  /// Size of a dimension of a memref.
  Value dim(Value memref, unsigned dimension);
  /// Rows of an operand or result that are there, where the workgroup has all of the kernel's and they are not so few
  /// that all take no longer; else the rows of the memref.
  Value rowsThere(Value memref);
  /// An i32 in memory as a signed index.
  Value loadIndex(Value memref, ValueRange at);

  //===-- loops --------------------------------------------------------------------------------------------------===//
  using Values = SmallVector<Value>;
  using Body = llvm::function_ref<void(Value)>;
  using CarryingBody = llvm::function_ref<Values(Value, ValueRange)>;
  void loop(Value begin, Value end, int64_t step, Body body);
  Values loop(Value begin, Value end, int64_t step, ValueRange inits, CarryingBody body);
  void loop(int64_t end, Body body) { loop(index(0), index(end), 1, body); }
  void loop(Value end, Body body) { loop(index(0), end, 1, body); }
  void when(Value condition, llvm::function_ref<void()> body);
  /// Runs over the pieces that have rows: `starts` holds the first row of each, and the end of the last.
  using PieceBody = llvm::function_ref<void(Value piece, Value firstRow, Value count)>;
  void pieces(Value starts, PieceBody body);

  /// Runs over `size` columns, `width` at a time; the last vector is masked where `width` does not divide `size`.
  using ColumnBody = llvm::function_ref<void(Value column, Lanes lanes)>;
  using CarryingColumnBody = llvm::function_ref<Values(Value column, Lanes lanes, ValueRange)>;
  void columns(Value size, int64_t width, ColumnBody body);
  Values columns(Value size, int64_t width, ValueRange inits, CarryingColumnBody body);

  /// Runs over rows `begin` to `end`, `tile` at a time: the body is told how many rows it has.
  using RowBody = llvm::function_ref<void(Value row, int64_t count)>;
  void rowTiles(Value begin, Value end, int64_t tile, RowBody body);

  //===-- memory -------------------------------------------------------------------------------------------------===//
  /// A scratch buffer of f32, or of another type, that lives as long as the workgroup.
  Value scratch(ArrayRef<int64_t> shape, Type element = {});
  Value load(Value memref, ValueRange at);
  Value load(Value memref, ValueRange at, Lanes lanes);
  void store(Value value, Value memref, ValueRange at);
  void store(Value value, Value memref, ValueRange at, Lanes lanes);
  /// The lanes of a vector of `width` that lie before `size`.
  Lanes lanesBefore(Value size, int64_t width);
  /// `target[c, r] = source[at..., r0 + r, c0 + c]` for a block of `rows` x `columns` of the last two dimensions;
  /// `target` is padded to whole registers in both, with zeros. One of three dimensions is in panels, of as many rows
  /// of the block as its last dimension has.
  void transpose(Value source, ValueRange at, Value rows, Value columns, Value target);

  //===-- f32 scalars and vectors
  //----------------------------------------------------------------------------------===//
  Value f32(double value);
  Value splat(double value, int64_t width) { return broadcast(f32(value), width); }
  Value broadcast(Value scalar, int64_t width);
  Value addf(Value left, Value right);
  Value subf(Value left, Value right);
  Value mulf(Value left, Value right);
  Value divf(Value left, Value right);
  Value maxf(Value left, Value right);
  Value minf(Value left, Value right);
  Value negf(Value value);
  Value fma(Value left, Value right, Value sum);
  Value exp(Value value);
  Value rsqrt(Value value);
  /// v / (1 + exp(-v))
  Value silu(Value value);
  /// log(1 + exp(v)), without overflow
  Value softplus(Value value);
  Value sum(Value vector);
  Value largest(Value vector);
  Value select(Value condition, Value ifTrue, Value ifFalse);
  /// The constant `value` of the type of `like`.
  Value constantLike(Value like, double value);

private:
  /// As transpose(), of up to as many rows as a register has lanes, from `row` on.
  void transposeRows(Value source, ValueRange at, Value row, Value rows, Value columns, Value target);
  Value extend(Value value);
  Value truncate(Value value, Type elementType);

  OpBuilder &builder;
  Location loc;
  int64_t lanes, tileRows;
  CpuScheduleAttr schedule;
  Value rows;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_EMITTER_H
