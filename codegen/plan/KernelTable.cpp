// A kernel is numbered at its first launch, when its schedule, cost and code must all be there.
#include "codegen/plan/KernelTable.h"

using namespace bambac;
using namespace bambac::codegen;

KernelTable::KernelTable(Plan &plan, ModuleOp module, ArrayRef<KernelCode> code)
    : plan(plan), module(module), symbols(module) {
  for (const KernelCode &kernel : code)
    this->code[kernel.name] = &kernel;
}

/// An attribute's parameters as text: `rows = 8, depth = 512` of `#bamba.cpu_schedule<rows = 8, depth = 512>`.
static std::string describe(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return StringRef(text).split('<').second.rsplit('>').first.str();
}

static PlanCost costOf(CostAttr cost) {
  auto number = [](int64_t value) { return static_cast<uint64_t>(value); };
  return {number(cost.getWeights()), number(cost.getStates()),       number(cost.getActivations()),
          number(cost.getFlops()),   number(cost.getContextBytes()), number(cost.getContextFlops())};
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
  std::string layout = weight.panel ? ("panel = " + Twine(weight.panel) + ", group = " + Twine(weight.panelGroup)).str()
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
