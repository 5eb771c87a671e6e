// Attaches schedules to kernels: see SelectSchedules in Passes.td. The choice is made by CpuSchedules.h and
// CudaSchedules.h; this pass applies the overrides of a file to it, and checks the result by the same rules.
#include "passes/Passes.h"
#include "passes/schedule/CpuSchedules.h"
#include "passes/schedule/CudaCollectives.h"
#include "passes/schedule/CudaSchedules.h"
#include "passes/schedule/ScheduleFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace bambac {
#define GEN_PASS_DEF_SELECTSCHEDULES
#include "passes/Passes.h.inc"

namespace {

using Entries = ArrayRef<const ScheduleFile::Entry *>;

template <typename... Args> llvm::Error makeError(const char *format, const Args &...args) {
  return llvm::createStringError(llvm::formatv(format, args...).str());
}

/// Sizes are added and multiplied: none may come near the largest numbers.
bool isSize(int64_t size) { return size >= 0 && size <= std::numeric_limits<int>::max(); }

llvm::Expected<int64_t> readSize(const ScheduleFile::Field &field) {
  std::optional<int64_t> size = field.value.getAsInteger();
  if (size && isSize(*size))
    return *size;
  return makeError("field '{0}': expected a size, found {1}", field.name, field.value);
}

llvm::Expected<SmallVector<int64_t>> readSizes(const ScheduleFile::Field &field) {
  SmallVector<int64_t> sizes;
  const llvm::json::Array *array = field.value.getAsArray();
  for (const llvm::json::Value &element : array ? *array : llvm::json::Array())
    sizes.push_back(element.getAsInteger().value_or(-1));
  if (!array || !llvm::all_of(sizes, isSize))
    return makeError("field '{0}': expected a list of sizes, found {1}", field.name, field.value);
  return sizes;
}

/// The schedule with one entry's fields in place of its own.
llvm::Expected<CpuScheduleAttr> override(CpuScheduleAttr schedule, const ScheduleFile::Entry &entry,
                                         func::FuncOp kernel) {
  SmallVector<int64_t> workgroup(schedule.getWorkgroup());
  int64_t rows = schedule.getRows(), depth = schedule.getDepth(), chunk = schedule.getChunk();
  SmallVector<StringRef> known = getCpuFields(kernel);
  for (const ScheduleFile::Field &field : entry.fields) {
    if (!llvm::is_contained(known, field.name))
      return makeError("expected a field that the kernel depends on ({0}), found '{1}'", llvm::join(known, ", "),
                       field.name);
    if (field.name == "workgroup") {
      llvm::Expected<SmallVector<int64_t>> sizes = readSizes(field);
      if (!sizes)
        return sizes.takeError();
      workgroup = std::move(*sizes);
      continue;
    }
    llvm::Expected<int64_t> size = readSize(field);
    if (!size)
      return size.takeError();
    if (field.name == "rows" && *size == 0)
      return makeError("field 'rows': expected a size greater than 0, found 0");
    (field.name == "rows" ? rows : field.name == "depth" ? depth : chunk) = *size;
  }
  return CpuScheduleAttr::get(kernel.getContext(), workgroup, rows, depth, chunk);
}

/// The same on CUDA. Where the entry names a collective, its other fields replace those of the best candidate of that
/// collective; without such a candidate the entry has to give all of them.
llvm::Expected<CudaScheduleAttr> override(CudaScheduleAttr schedule, const ScheduleFile::Entry &entry,
                                          ArrayRef<CudaScheduleAttr> candidates) {
  MLIRContext *context = schedule.getContext();
  StringAttr collective = schedule.getCollective();
  NamedAttrList fields(schedule.getFields());
  for (const ScheduleFile::Field &field : entry.fields) {
    if (field.name != "collective")
      continue;
    std::optional<StringRef> name = field.value.getAsString();
    if (!name)
      return makeError("field 'collective': expected a name, found {0}", field.value);
    if (*name == collective.getValue())
      continue;
    collective = StringAttr::get(context, *name);
    const auto *best =
        llvm::find_if(candidates, [&](CudaScheduleAttr candidate) { return candidate.getCollective() == collective; });
    fields = best == candidates.end() ? NamedAttrList() : NamedAttrList(best->getFields());
  }
  for (const ScheduleFile::Field &field : entry.fields) {
    if (field.name == "collective")
      continue;
    llvm::Expected<int64_t> size = readSize(field);
    if (!size)
      return size.takeError();
    fields.set(field.name, IntegerAttr::get(IntegerType::get(context, 64), *size));
  }
  return CudaScheduleAttr::get(context, collective, fields.getDictionary(context));
}

struct SelectSchedules : impl::SelectSchedulesBase<SelectSchedules> {
  using impl::SelectSchedulesBase<SelectSchedules>::SelectSchedulesBase;
  explicit SelectSchedules(ScheduleFile *shared) : overrides(shared) {}
  SelectSchedules(const SelectSchedules &other) : SelectSchedulesBase(other), overrides(other.overrides) {}

  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target)
      return;
    targetName = target.getName().str();
    std::optional<ScheduleFile> own;
    if (!file.empty()) {
      llvm::Expected<ScheduleFile> read = ScheduleFile::read(file);
      if (!read)
        return fail(read.takeError());
      overrides = &own.emplace(std::move(*read));
    }
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(attr::kKernel) && failed(attach(kernel, target)))
        return signalPassFailure();
    if (own)
      if (llvm::Error error = own->checkAllUsed(targetName))
        return fail(std::move(error));
  }

private:
  void fail(llvm::Error error) {
    emitError(UnknownLoc::get(&getContext())) << llvm::toString(std::move(error));
    signalPassFailure();
  }

  SmallVector<const ScheduleFile::Entry *> matchEntries(func::FuncOp kernel) {
    if (!overrides)
      return {};
    return overrides->match(kernel.getSymName(), targetName);
  }

  /// Reports an error of an entry.
  LogicalResult refuse(func::FuncOp kernel, const ScheduleFile::Entry &entry, llvm::Error error) {
    return emitError(UnknownLoc::get(&getContext()))
           << overrides->getPath() << ": field '" << entry.key() << "': kernel '" << kernel.getSymName() << "' of "
           << targetName << ": " << llvm::toString(std::move(error));
  }

  /// Applies the entries to `schedule` in the order of the file, checking the result of each.
  template <typename Schedule, typename Apply, typename Check>
  LogicalResult applyEntries(func::FuncOp kernel, Entries entries, Schedule &schedule, Apply apply, Check check) {
    for (const ScheduleFile::Entry *entry : entries) {
      llvm::Expected<Schedule> changed = apply(schedule, *entry);
      if (!changed)
        return refuse(kernel, *entry, changed.takeError());
      schedule = *changed;
    }
    if (!entries.empty())
      if (llvm::Error error = check(schedule))
        return refuse(kernel, *entries.back(), std::move(error));
    return success();
  }

  LogicalResult attach(func::FuncOp kernel, TargetInterface target) {
    if (auto cpu = dyn_cast<CpuTargetAttr>(target))
      return attachCpu(kernel, cpu);
    return attachCuda(kernel, cast<CudaTargetAttr>(target));
  }

  LogicalResult attachCpu(func::FuncOp kernel, CpuTargetAttr target) {
    CpuScheduleAttr schedule = chooseCpuSchedule(kernel, target);
    LogicalResult applied = applyEntries(
        kernel, matchEntries(kernel), schedule,
        [&](CpuScheduleAttr old, const ScheduleFile::Entry &entry) { return override(old, entry, kernel); },
        [&](CpuScheduleAttr changed) { return checkCpuSchedule(kernel, changed, target); });
    kernel->setAttr(attr::kSchedule, schedule);
    return applied;
  }

  LogicalResult attachCuda(func::FuncOp kernel, CudaTargetAttr target) {
    SmallVector<const ScheduleFile::Entry *> entries = matchEntries(kernel);
    FailureOr<SmallVector<CudaScheduleAttr>> candidates = enumerateCudaSchedules(kernel, target);
    if (failed(candidates))
      return failure();
    CudaScheduleAttr schedule = candidates->front();
    LogicalResult applied = applyEntries(
        kernel, entries, schedule,
        [&](CudaScheduleAttr old, const ScheduleFile::Entry &entry) { return override(old, entry, *candidates); },
        [&](CudaScheduleAttr changed) { return checkCudaSchedule(getMainOp(kernel.front()), changed, target); });
    kernel->setAttr(attr::kSchedule, schedule);
    // Who names a schedule gets that one or an error.
    if (entries.empty() && candidates->size() > 1)
      kernel->setAttr(
          attr::kFallbacks,
          ArrayAttr::get(&getContext(),
                         llvm::map_to_vector(
                             ArrayRef(*candidates).slice(1, std::min<size_t>(candidates->size() - 1, kMaxFallbacks)),
                             [](CudaScheduleAttr candidate) -> Attribute { return candidate; })));
    return applied;
  }

  /// Candidates that are kept for code generation: each that spills costs a compilation.
  static constexpr size_t kMaxFallbacks = 8;

  ScheduleFile *overrides = nullptr; ///< null: none
  std::string targetName;
};

} // namespace

std::unique_ptr<Pass> createSelectSchedules(ScheduleFile *overrides) {
  return std::make_unique<SelectSchedules>(overrides);
}

} // namespace bambac
