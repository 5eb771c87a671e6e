// A kernel is numbered at its first launch, when its schedule, cost and code must all be there.
#include "codegen/plan/KernelTable.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace bambac;
using namespace bambac::codegen;

KernelTable::KernelTable(Plan &plan, ModuleOp module, ArrayRef<KernelCode> code)
    : plan(plan), module(module), symbols(module) {
  for (const KernelCode &kernel : code)
    this->code[kernel.name] = &kernel;
}

/// "workgroup all x 128, rows 8, depth 256". What has no say in the kernel is left out: a chunk or depth of 0, and a
/// single row.
static std::string describe(CpuScheduleAttr schedule) {
  SmallVector<std::string> sizes, parts;
  for (int64_t size : schedule.getWorkgroup())
    sizes.push_back(size ? llvm::utostr(size) : "all");
  parts.push_back("workgroup " + llvm::join(sizes, " x "));
  if (schedule.getRows() > 1)
    parts.push_back("rows " + llvm::utostr(schedule.getRows()));
  if (schedule.getDepth())
    parts.push_back("depth " + llvm::utostr(schedule.getDepth()));
  if (schedule.getChunk())
    parts.push_back("chunk " + llvm::utostr(schedule.getChunk()));
  return llvm::join(parts, ", ");
}

/// "wgmma/linear_skinny, stages 12".
static std::string describe(CudaScheduleAttr schedule) {
  std::string text = schedule.getCollective().str();
  for (NamedAttribute field : schedule.getFields())
    text += (", " + field.getName().getValue() + " " + Twine(cast<IntegerAttr>(field.getValue()).getInt())).str();
  return text;
}

/// A schedule as people read it.
static std::string describe(Attribute schedule) {
  return llvm::TypeSwitch<Attribute, std::string>(schedule).Case<CpuScheduleAttr, CudaScheduleAttr>(
      [](auto schedule) { return describe(schedule); });
}

static PlanCost costOf(CostAttr cost) {
  auto number = [](int64_t value) { return static_cast<uint64_t>(value); };
  return {number(cost.getWeights()),  number(cost.getStates()),       number(cost.getActivations()),
          number(cost.getFlops()),    number(cost.getContextBytes()), number(cost.getContextFlops()),
          number(cost.getCodeFlops())};
}

FailureOr<uint32_t> KernelTable::add(LaunchOp launch) {
  Operation *kernel = symbols.lookup(launch.getKernel());
  assert(kernel && "the verifier finds the kernel of every launch");
  Attribute schedule = kernel->getAttr(attr::kSchedule);
  auto cost = kernel->getAttrOfType<CostAttr>(attr::kCost);
  if (!schedule || !cost)
    return kernel->emitError() << "expected '" << (schedule ? attr::kCost : attr::kSchedule) << "' on the kernel '"
                               << launch.getKernel() << "'";
  auto found = code.find(launch.getKernel());
  if (found == code.end())
    return kernel->emitError() << "expected code of the kernel '" << launch.getKernel() << "', found none";
  const KernelCode &compiled = *found->second;
  if (compiled.numWorkgroups > INT32_MAX)
    return kernel->emitError() << "expected at most " << INT32_MAX << " workgroups, found " << compiled.numWorkgroups;
  plan.kernels.push_back({compiled.name, describe(schedule), compiled, costOf(cost), 0});
  return static_cast<uint32_t>(plan.kernels.size() - 1);
}

FailureOr<uint32_t> KernelTable::launch(LaunchOp launch) {
  auto known = numbers.find(launch.getKernel());
  if (known == numbers.end()) {
    FailureOr<uint32_t> added = add(launch);
    if (failed(added))
      return failure();
    known = numbers.try_emplace(launch.getKernel(), *added).first;
  }
  ++plan.kernels[known->second].count;
  return known->second;
}

FailureOr<uint32_t> KernelTable::addPacking(const PlanWeight &weight) {
  std::string name = packKernelName(weight.dtype, weight.panel, weight.panelGroup);
  auto known = numbers.find(name);
  if (known != numbers.end())
    return known->second;
  auto found = code.find(name);
  if (found == code.end())
    return module.emitError() << "expected code of the kernel '" << name << "' for the weight '" << weight.name
                              << "', found none";
  std::string layout = weight.panel
                           ? ("panels of " + Twine(weight.panel) + " rows, groups of " + Twine(weight.panelGroup)).str()
                           : std::string("rows");
  plan.kernels.push_back({name, std::move(layout), *found->second, {}, 0});
  return numbers[name] = static_cast<uint32_t>(plan.kernels.size() - 1);
}

LogicalResult KernelTable::addPacking() {
  for (PlanWeight &weight : plan.weights) {
    FailureOr<uint32_t> kernel = addPacking(weight);
    if (failed(kernel))
      return failure();
    weight.packKernel = *kernel;
  }
  return success();
}
