#include "runtime/model/model_table.h"
#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace bambac::rt {
namespace {

void expect(bool condition, std::string_view what, std::string_view name) {
  if (!condition)
    fail(BAMBA_INTERNAL, "the library's tables are damaged: {}: {}", name, what);
}

void checkHeader(const bamba_rt_model &model) {
  expect(model.device <= BAMBA_RT_CUDA, "an unknown device", model.target);
  expect(model.vocab_size > 0 && model.vocab_size <= INT32_MAX, "vocab_size is out of range", "model");
  expect(model.max_context > 0 && model.max_context <= INT32_MAX, "max_context is out of range", "model");
  expect(model.max_batch > 0 && model.max_batch <= INT32_MAX, "max_batch is out of range", "model");
  uint64_t pages = model.page_tokens ? (uint64_t{model.max_context} + model.page_tokens - 1) / model.page_tokens : 1;
  expect(model.max_pages == pages, "max_pages does not fit max_context", "model");
  expect(model.state_ring > 0, "an empty state ring", "model");
  expect(model.row_tile > 0 && model.weight_rows > 0, "a step that costs nothing", "model");
}

void checkRows(const bamba_rt_source &source) {
  uint64_t repeat = std::max<uint64_t>(source.repeat, 1), stored = source.rank ? source.shape[0] : 1, all;
  expect(!__builtin_mul_overflow(stored, repeat, &all), "too many rows", source.name);
  expect(source.first_row <= all && source.num_rows <= all - source.first_row, "rows that its tensor does not have",
         source.name);
  expect(source.rotary_dim % 2 == 0 && source.rotary_dim <= source.head_dim &&
             (source.head_dim == 0 || source.num_rows % source.head_dim == 0),
         "a row order that does not fit its shape", source.name);
}

void checkWeight(const bamba_rt_model &model, const bamba_rt_weight &weight) {
  const contract::ElementType *type = contract::findElementType(weight.dtype);
  expect(type && type->isWeight, "a type that weights do not have", weight.name);
  expect(weight.num_sources > 0 && uint64_t{weight.first_source} + weight.num_sources <= model.num_sources,
         "sources out of range", weight.name);
  expect(weight.panel ? weight.panel_group > 0 && weight.panel_align > 0 && weight.panel_align % weight.panel_group == 0
                      : weight.panel_group <= 1 && weight.panel_align <= 1,
         "a panel group that does not divide its alignment", weight.name);
  uint64_t rows = 0;
  uint64_t firstRows = 0;
  for (const bamba_rt_source &source : std::span(model.sources + weight.first_source, weight.num_sources)) {
    expect(source.rank <= 4, "a rank above 4", source.name);
    checkRows(source);
    uint64_t cols = 1;
    for (uint32_t i = 1; i < source.rank; ++i)
      cols *= source.shape[i];
    expect(cols == weight.cols, "a source with another number of columns", weight.name);
    firstRows = rows ? firstRows : source.num_rows;
    expect(!(weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE) || source.num_rows == firstRows,
           "interleaved sources of different lengths", weight.name);
    rows += source.num_rows;
  }
  expect((weight.scales != 0) == type->isScaled, "scales of what is no code, or none of codes", weight.name);
  if (weight.scales) {
    expect(weight.scales <= model.num_weights, "scales out of range", weight.name);
    const bamba_rt_weight &scales = model.weights[weight.scales - 1];
    expect(scales.dtype == BAMBA_RT_F32 && (scales.flags & BAMBA_RT_WEIGHT_POSITIVE) && !scales.panel &&
               (scales.flags & BAMBA_RT_WEIGHT_TRANSPOSE) && scales.rows == weight.rows &&
               scales.num_sources == weight.num_sources,
           "scales that do not fit its rows", weight.name);
  }
  expect(rows == weight.rows, "sources with another number of rows", weight.name);
  expect(weight.bytes == packedBytes(weight), "another size than shape and panel say", weight.name);
}

void checkArg(const bamba_rt_model &model, const bamba_rt_arg &arg, const bamba_rt_entry &entry) {
  switch (arg.space) {
  case BAMBA_RT_SPACE_WEIGHT:
    return expect(arg.index < model.num_weights && arg.offset < model.weights[arg.index].bytes,
                  "a weight argument out of range", entry.name);
  case BAMBA_RT_SPACE_STATE:
    return expect(arg.index < model.num_states, "a state argument out of range", entry.name);
  case BAMBA_RT_SPACE_ARENA:
    return expect(arg.offset < entry.arena_bytes, "an arena argument out of range", entry.name);
  case BAMBA_RT_SPACE_INPUT:
    return expect(arg.index < BAMBA_RT_NUM_INPUTS, "an input argument out of range", entry.name);
  case BAMBA_RT_SPACE_OUTPUT:
    return expect(arg.index < BAMBA_RT_NUM_OUTPUTS, "an output argument out of range", entry.name);
  default:
    return expect(false, "an argument in an unknown space", entry.name);
  }
}

void checkCudaKernel(const bamba_rt_kernel &kernel) {
  expect(kernel.cuda != nullptr, "no code", kernel.name);
  const bamba_rt_cuda_kernel &cuda = *kernel.cuda;
  expect(cuda.cubin && cuda.cubin_bytes > 0 && cuda.symbol, "no code", kernel.name);
  const bamba_rt_cuda_launch &launch = cuda.launch;
  expect(std::ranges::all_of(launch.grid, [](uint32_t blocks) { return blocks > 0; }) && launch.threads > 0,
         "an empty grid", kernel.name);
  expect(launch.cluster > 0 && launch.grid[0] % launch.cluster == 0, "a grid that is not whole clusters", kernel.name);
}

void checkParams(const bamba_rt_kernel &kernel, const bamba_rt_launch &launch) {
  for (const bamba_rt_param &param : std::span(kernel.cuda->params, kernel.cuda->num_params)) {
    bool isOfArgument = param.kind == BAMBA_RT_PARAM_POINTER || param.kind == BAMBA_RT_PARAM_TENSOR_MAP;
    expect(isOfArgument || param.kind == BAMBA_RT_PARAM_WORKSPACE || param.kind == BAMBA_RT_PARAM_SIZE,
           "an unknown kind of parameter", kernel.name);
    expect(!isOfArgument || param.arg < launch.num_args, "a parameter out of range", kernel.name);
  }
}

void checkPackKernel(const bamba_rt_model &model, const bamba_rt_weight &weight) {
  expect(weight.pack_kernel < model.num_kernels, "a kernel that packs it out of range", weight.name);
  const bamba_rt_kernel &kernel = model.kernels[weight.pack_kernel];
  checkCudaKernel(kernel);
  expect(kernel.cuda->num_params == 1 && kernel.cuda->params[0].kind == BAMBA_RT_PARAM_PIECE,
         "a kernel that does not pack weights", weight.name);
}

/// A prompt's entry point may have room for more logits than it has rows: for those of the longest, not for more.
void checkKept(const bamba_rt_model &model, const bamba_rt_entry &entry) {
  uint32_t most = entry.batch;
  if (entry.kind != BAMBA_RT_DECODE)
    for (const bamba_rt_entry &other : std::span(model.entries, model.num_entries))
      most = std::max(most, other.chunk);
  expect(entry.kept >= entry.batch, "too few rows of logits", entry.name);
  expect(entry.kept <= most, "more rows of logits than a step has", entry.name);
}

void checkEntry(const bamba_rt_model &model, const bamba_rt_entry &entry) {
  expect(entry.kind <= BAMBA_RT_PREFILL, "an unknown kind", entry.name);
  expect(entry.batch > 0 && entry.chunk > 0, "an empty batch or chunk", entry.name);
  bool decodes = entry.kind == BAMBA_RT_DECODE;
  expect(decodes ? entry.chunk == 1 : entry.batch <= entry.chunk, "more pieces than rows", entry.name);
  checkKept(model, entry);
  expect(uint64_t{entry.first_launch} + entry.num_launches <= model.num_launches, "launches out of range", entry.name);
  for (const bamba_rt_launch &launch : std::span(model.launches + entry.first_launch, entry.num_launches)) {
    expect(launch.kernel < model.num_kernels, "a kernel out of range", entry.name);
    const bamba_rt_kernel &kernel = model.kernels[launch.kernel];
    expect(model.device == BAMBA_RT_CUDA ? kernel.cuda != nullptr : kernel.cpu != nullptr, "a kernel without code",
           entry.name);
    expect(launch.num_workgroups <= INT32_MAX, "too many workgroups", entry.name);
    expect(uint64_t{launch.first_arg} + launch.num_args <= model.num_args, "arguments out of range", entry.name);
    for (const bamba_rt_arg &arg : std::span(model.args + launch.first_arg, launch.num_args))
      checkArg(model, arg, entry);
    if (model.device == BAMBA_RT_CUDA) {
      checkCudaKernel(kernel);
      checkParams(kernel, launch);
    }
  }
}

} // namespace

void checkLibrary(const bamba_rt_library &library) {
  if (library.abi_version != BAMBA_RT_ABI_VERSION)
    fail(BAMBA_INTERNAL, "the library's tables are damaged: expected version {}, found {}", BAMBA_RT_ABI_VERSION,
         library.abi_version);
  expect(library.num_models > 0, "no model", "library");
}

void checkTable(const bamba_rt_model &model) {
  checkHeader(model);
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    checkWeight(model, weight);
  if (model.device == BAMBA_RT_CUDA)
    for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
      checkPackKernel(model, weight);
  uint32_t largest = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries)) {
    checkEntry(model, entry);
    if (entry.kind == BAMBA_RT_DECODE)
      largest = std::max(largest, entry.batch);
  }
  expect(largest == model.max_batch, "max_batch is not the largest batch that an entry decodes", "model");
  for (const bamba_rt_state &state : std::span(model.states, model.num_states)) {
    expect(state.kind <= BAMBA_RT_STATE_PAGE, "an unknown kind", state.name);
    expect(state.kind != BAMBA_RT_STATE_PAGE || model.page_tokens > 0, "pages in a model without attention",
           state.name);
  }
}

} // namespace bambac::rt
