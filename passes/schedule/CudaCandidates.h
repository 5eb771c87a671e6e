// The candidates of one kernel's schedule, and what they cost.
//
// A cost is compared with the costs of the same kernel only. Where a formula is not better than an order of preference,
// the cost of a candidate is its place in that order.
#ifndef BAMBAC_PASSES_SCHEDULE_CUDACANDIDATES_H
#define BAMBAC_PASSES_SCHEDULE_CUDACANDIDATES_H

#include "dialects/bamba/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/schedule/CudaCollectives.h"

namespace bambac {

/// Collects the legal candidates of one kernel.
class Candidates {
public:
  Candidates(Operation *main, CudaTargetAttr target) : main(main), target(target), limits(limitsOf(target)) {}

  /// True where the candidate is legal and now in the list.
  template <typename Geometry> bool add(const Geometry &geometry, const typename Geometry::Shape &shape, double cost) {
    CudaScheduleAttr schedule = makeSchedule(target.getContext(), geometry);
    geometry::Fault fault = geometry.legal(shape, limits);
    if (!fault.isLegal()) {
      reason = (schedule.getCollective().getValue() + ": " + describeFault(fault, schedule)).str();
      return false;
    }
    if (llvm::none_of(list, [&](const Candidate &other) { return other.schedule == schedule; }))
      list.push_back({schedule, cost});
    return true;
  }
  /// As the next in an order of preference.
  template <typename Geometry> bool addNext(const Geometry &geometry, const typename Geometry::Shape &shape) {
    return add(geometry, shape, nextPlace++);
  }
  /// A collective that has nothing to choose.
  void addPlain(StringRef collective) {
    MLIRContext *context = target.getContext();
    list.push_back(
        {CudaScheduleAttr::get(context, StringAttr::get(context, collective), DictionaryAttr::get(context)), 0.0});
  }

  /// The schedules, cheapest first; among equal ones in the order of adding.
  FailureOr<SmallVector<CudaScheduleAttr>> take(func::FuncOp kernel) {
    if (list.empty())
      return kernel.emitError() << "kernel '" << kernel.getSymName() << "': expected a schedule that fits "
                                << target.getArch().getValue() << ", found none: " << reason
                                << "; the sizes come from the configuration's " << getConfigFields(main);
    llvm::stable_sort(list, [](const Candidate &left, const Candidate &right) { return left.cost < right.cost; });
    return llvm::map_to_vector(list, [](const Candidate &candidate) { return candidate.schedule; });
  }

  const geometry::Limits &getLimits() const { return limits; }
  CudaTargetAttr getTarget() const { return target; }
  bool hasWgmma() const { return target.hasWgmma(); }
  /// Hopper, with or without its own instructions: most shared memory.
  bool isHopper() const { return target.getArch().getValue().starts_with("sm_90"); }

private:
  struct Candidate {
    CudaScheduleAttr schedule;
    double cost;
  };
  Operation *main;
  CudaTargetAttr target;
  geometry::Limits limits;
  SmallVector<Candidate> list;
  int nextPlace = 0;
  std::string reason; ///< why the last illegal candidate was that
};

/// Adds the schedules of a linear.
void addLinears(Candidates &candidates, LinearOp linear);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_CUDACANDIDATES_H
