// Builds constants, and compares the layout of each record with that of the C struct.
#include "codegen/plan/TableBuilder.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/Support/ErrorHandling.h"

using namespace bambac;
using namespace bambac::codegen;

llvm::Constant *TableBuilder::i32(uint64_t value) {
  return llvm::ConstantInt::get(llvm::Type::getInt32Ty(module.getContext()), value);
}

llvm::Constant *TableBuilder::i64(uint64_t value) {
  return llvm::ConstantInt::get(llvm::Type::getInt64Ty(module.getContext()), value);
}

llvm::Constant *TableBuilder::numbers(ArrayRef<uint32_t> values) {
  return llvm::ConstantDataArray::get(module.getContext(), values);
}

llvm::Constant *TableBuilder::numbers(ArrayRef<uint64_t> values) {
  return llvm::ConstantDataArray::get(module.getContext(), values);
}

llvm::GlobalVariable *TableBuilder::addConstant(StringRef name, llvm::Constant *value) {
  auto *global = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                          llvm::GlobalValue::PrivateLinkage, value, name);
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

llvm::Constant *TableBuilder::string(StringRef text) {
  llvm::GlobalVariable *global = addConstant("text", llvm::ConstantDataArray::getString(module.getContext(), text));
  // The tables' text is their own: the linker shall not merge it with equal strings of the runtime.
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::None);
  return global;
}

llvm::Constant *TableBuilder::blob(StringRef name, StringRef bytes) {
  llvm::GlobalVariable *global =
      addConstant(name, llvm::ConstantDataArray::getString(module.getContext(), bytes, /*AddNull=*/false));
  global->setAlignment(llvm::Align(64));
  return global;
}

llvm::Constant *TableBuilder::function(StringRef name, llvm::FunctionType *type) {
  auto *function = llvm::cast<llvm::Function>(module.getOrInsertFunction(name, type).getCallee());
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  return function;
}

llvm::Constant *TableBuilder::array(StringRef name, ArrayRef<llvm::Constant *> values) {
  if (values.empty())
    return llvm::ConstantPointerNull::get(llvm::PointerType::get(module.getContext(), 0));
  auto *type = llvm::ArrayType::get(values.front()->getType(), values.size());
  return addConstant(name, llvm::ConstantArray::get(type, values));
}

/// A field that is missing, doubled or of another size than in C would shift what the runtime reads.
llvm::Constant *TableBuilder::makeRecord(ArrayRef<TableField> fields, size_t size) {
  SmallVector<llvm::Constant *> values;
  for (const TableField &field : fields)
    values.push_back(field.value);
  llvm::Constant *record = llvm::ConstantStruct::getAnon(module.getContext(), values);
  const llvm::DataLayout &dataLayout = module.getDataLayout();
  const llvm::StructLayout *layout = dataLayout.getStructLayout(llvm::cast<llvm::StructType>(record->getType()));
  bool same = layout->getSizeInBytes() == size;
  for (auto [index, field] : llvm::enumerate(fields))
    same &= layout->getElementOffset(index) == field.offset &&
            dataLayout.getTypeAllocSize(field.value->getType()) == field.size;
  if (!same)
    llvm::reportFatalInternalError("a table is laid out otherwise than runtime/contract/abi.h says");
  return record;
}
