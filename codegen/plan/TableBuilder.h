// Builds C structs, arrays and strings as LLVM constants, and checks that they are laid out as the C compiler does it.
#ifndef BAMBAC_CODEGEN_PLAN_TABLEBUILDER_H
#define BAMBAC_CODEGEN_PLAN_TABLEBUILDER_H

#include "dialects/LLVM.h"
#include "llvm/IR/Module.h"

#include <cstddef>

namespace bambac::codegen {

/// One field of a C struct and its value.
struct TableField {
  size_t offset, size;
  llvm::Constant *value;
};

/// Names a field of a C struct with its place: BAMBAC_FIELD(bamba_rt_arg, space, i32(1)).
#define BAMBAC_FIELD(Struct, field, value)                                                                             \
  ::bambac::codegen::TableField { offsetof(Struct, field), sizeof(decltype(Struct::field)), value }

class TableBuilder {
public:
  explicit TableBuilder(llvm::Module &module) : module(module) {}

  llvm::Constant *i32(uint64_t value);
  llvm::Constant *i64(uint64_t value);
  /// An array of numbers inside a struct.
  llvm::Constant *numbers(ArrayRef<uint32_t> values);
  llvm::Constant *numbers(ArrayRef<uint64_t> values);
  /// The same of `size` numbers, filled up with zeros.
  template <size_t size> llvm::Constant *numbers(ArrayRef<uint64_t> values) {
    SmallVector<uint64_t> filled(values);
    filled.resize(size);
    return numbers(filled);
  }
  /// The address of bytes, aligned as the driver wants code.
  llvm::Constant *blob(StringRef name, StringRef bytes);
  /// The address of a zero-terminated string.
  llvm::Constant *string(StringRef text);
  /// The address of a function of another object, visible in this library only.
  llvm::Constant *function(StringRef name, llvm::FunctionType *type);
  /// The address of an array of constants of one type; null for none.
  llvm::Constant *array(StringRef name, ArrayRef<llvm::Constant *> values);

  /// A constant of the C struct `Struct`.
  template <typename Struct> llvm::Constant *record(ArrayRef<TableField> fields) {
    return makeRecord(fields, sizeof(Struct));
  }

private:
  llvm::Constant *makeRecord(ArrayRef<TableField> fields, size_t size);
  llvm::GlobalVariable *addConstant(StringRef name, llvm::Constant *value);

  llvm::Module &module;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_TABLEBUILDER_H
