// The options of `bambac compile`. They are bound to nothing below: main's side fills one struct from them.
#include "compiler/tools/CompileCommand.h"
#include "codegen/link/Link.h"
#include "compiler/pipeline/Compile.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace bambac {

namespace {
/// Options are text here and read by toCompileOptions, so that every mistake is reported in one way.
struct CommandLine {
  cl::OptionCategory category{"bambac compile options"};

  cl::list<std::string> config{cl::Positional, cl::desc("CONFIG"), cl::cat(category)};
  cl::opt<std::string> output{
      "o", cl::value_desc("file"), cl::cat(category),
      cl::desc("Where the output goes; needed for a library, else the default is - (the standard output)")};
  cl::list<std::string> targets{
      "target", cl::CommaSeparated, cl::value_desc("cpu,sm_80,sm_90a"), cl::cat(category),
      cl::desc("The devices to compile for, one or more of cpu, sm_80, sm_86, sm_89, sm_90, sm_90a (default cpu)")};
  cl::opt<std::string> cpu{
      "cpu", cl::init("native"), cl::value_desc("native|x86-64-v3|x86-64-v4|sapphirerapids"), cl::cat(category),
      cl::desc("The processor to compile for (default native, this machine's); sapphirerapids and later have AMX")};
  cl::opt<std::string> multiprocessors{
      "multiprocessors", cl::init("0"), cl::value_desc("n"), cl::cat(category),
      cl::desc(
          "Multiprocessors that launches on a GPU fill (default those of A100, A40, L40 or H100); for smaller cards")};
  cl::opt<std::string> dtype{
      "dtype", cl::init("bf16"), cl::value_desc("bf16|f16|f32|fp8"), cl::cat(category),
      cl::desc("The type of weight matrices in memory (default bf16); on a CPU all else is f32, on CUDA what tensor "
               "cores multiply has that type as well; f16 saturates at +-65504; fp8 quantizes the linears of the "
               "blocks while they are loaded and keeps the rest in bf16")};
  cl::list<std::string> fp8Layers{"fp8-layers", cl::CommaSeparated, cl::value_desc("patterns"), cl::cat(category),
                                  cl::desc("Linears that --dtype=fp8 quantizes, as in '*.mamba.*' (default all)")};
  cl::list<std::string> bf16Layers{"bf16-layers", cl::CommaSeparated, cl::value_desc("patterns"), cl::cat(category),
                                   cl::desc("Linears that --dtype=fp8 keeps in bf16")};
  cl::opt<std::string> lmHead{"lm-head", cl::value_desc("bf16|fp8"), cl::cat(category),
                              cl::desc("The type of lm_head (default as the config says, else bf16); fp8 quantizes it "
                                       "while it is loaded")};
  cl::opt<std::string> fp8Accumulate{
      "fp8-accumulate", cl::init("exact"), cl::value_desc("exact|fast"), cl::cat(category),
      cl::desc("How sm_90a sums products of fp8 (default exact): fast leaves sums of more than 8 rows to the tensor "
               "cores, which keep 14 bits, where a row has one scale; other targets sum in f32 all the same")};
  cl::opt<std::string> stateDtype{"state-dtype", cl::init("f32"), cl::value_desc("f32|bf16|f16|int8"),
                                  cl::cat(category),
                                  cl::desc("The type of the SSM state on CUDA (default f32); int8: codes with a scale "
                                           "for each channel")};
  cl::opt<std::string> stateRing{
      "state-ring", cl::init("auto"), cl::value_desc("auto|off|n"), cl::cat(category),
      cl::desc(
          "Decode steps after which a sequence's SSM state is written on CUDA, while the tokens in between wait in "
          "a ring (default auto, by batch and state; off: each step writes it)")};
  cl::opt<std::string> kvDtype{"kv-dtype", cl::value_desc("fp8"), cl::cat(category),
                               cl::desc("The type of keys and values in the cache (default as the config says, else "
                                        "that of what attention multiplies); the scales of fp8 are k_scale and "
                                        "v_scale of the checkpoint, or 1")};
  cl::opt<std::string> nvrtc{"nvrtc", cl::value_desc("path"), cl::cat(category),
                             cl::desc("File or folder of NVRTC for CUDA targets (default: the toolkit's)")};
  cl::opt<std::string> maxBatch{"max-batch", cl::init("8"), cl::value_desc("n"), cl::cat(category),
                                cl::desc("Sequences that one step can decode together (default 8)")};
  cl::opt<std::string> maxContext{
      "max-context", cl::value_desc("n"), cl::cat(category),
      cl::desc("Tokens that a sequence can hold (default max_position_embeddings, at most 4096)")};
  cl::opt<std::string> prefillChunk{
      "prefill-chunk", cl::init("128"), cl::value_desc("n"), cl::cat(category),
      cl::desc("Tokens of a prompt that one step takes (default 128), rounded up to a multiple of 8")};
  cl::opt<std::string> compileTo{"compile-to", cl::init("library"),
                                 cl::value_desc("model|fused|scheduled|kernels|library"), cl::cat(category),
                                 cl::desc("The phase to stop at: MLIR to scheduled, LLVM IR or CUDA C++ for kernels")};
  cl::opt<std::string> dumpFolder{"dump-phases-to", cl::value_desc("folder"), cl::cat(category),
                                  cl::desc("Write the IR after each phase to this folder")};
  cl::opt<std::string> schedule{"schedule", cl::value_desc("file"), cl::cat(category),
                                cl::desc("JSON file of kernel schedules that override the chosen ones")};
  cl::opt<std::string> symbolPrefix{
      "symbol-prefix", cl::value_desc("name"), cl::cat(category),
      cl::desc("Put this before the names of the library's functions, so that a program can link several models: with "
               "draft_ it exports draft_bamba_model_open and so on")};
  cl::opt<std::string> threads{"j",
                               cl::Prefix,
                               cl::init("0"),
                               cl::value_desc("n"),
                               cl::cat(category),
                               cl::desc("Threads of the compiler (default one for each processor)")};
  cl::opt<bool> explainFusion{"explain-fusion", cl::cat(category),
                              cl::desc("Print which ops joined a kernel, and which rule kept others apart")};
  cl::opt<bool> verifyEach{"verify-each", cl::init(true), cl::cat(category),
                           cl::desc("Verify the IR after each pass (default on)")};
};
} // namespace

static Error wrongOption(const Twine &option, const Twine &expected, StringRef found) {
  return createStringError("option '" + option + "': expected " + expected + ", found '" + found + "'");
}

static Expected<int64_t> parseCount(const cl::opt<std::string> &option, int64_t min) {
  int64_t value;
  if (to_integer(StringRef(option), value, 10) && value >= min)
    return value;
  return wrongOption(Twine(option.ArgStr.size() == 1 ? "-" : "--") + option.ArgStr,
                     "an integer of at least " + Twine(min), option);
}

/// Reads the types of weights and of the cache: fp8 is a recipe, whose rest is bf16.
static Error readTypes(const CommandLine &line, CompileOptions &result) {
  QuantizationOptions &quantization = result.quantization;
  const contract::ElementType *weights = contract::findElementType(std::string_view(line.dtype));
  quantization.fp8 = StringRef(line.dtype) == "fp8";
  if (quantization.fp8)
    weights = &contract::describe(BAMBA_RT_BF16);
  if (!weights || !weights->isWeight || weights->isScaled)
    return wrongOption("--dtype", contract::listChosenTypes(&contract::ElementType::name, "fp8"), line.dtype);
  result.limits.weightType = weights->type;
  quantization.fp8Layers.assign(line.fp8Layers.begin(), line.fp8Layers.end());
  quantization.bf16Layers.assign(line.bf16Layers.begin(), line.bf16Layers.end());
  if (line.kvDtype.getNumOccurrences() && StringRef(line.kvDtype) != "fp8")
    return wrongOption("--kv-dtype", "fp8", line.kvDtype);
  quantization.fp8Cache = line.kvDtype.getNumOccurrences() > 0;
  if (!line.lmHead.getNumOccurrences())
    return Error::success();
  if (!is_contained({"bf16", "fp8"}, StringRef(line.lmHead)))
    return wrongOption("--lm-head", "bf16 or fp8", line.lmHead);
  quantization.fp8Head = StringRef(line.lmHead) == "fp8";
  return Error::success();
}

static Error readStateRing(const CommandLine &line, CompileLimits &result) {
  StringRef text = line.stateRing;
  if (text == "auto")
    return Error::success();
  int64_t length = 1;
  if (text != "off" && (!to_integer(text, length, 10) || length < 2))
    return wrongOption("--state-ring", "auto, off or an integer of at least 2", text);
  result.stateRing = length;
  return Error::success();
}

/// Reads limits into `result`.
static Error readLimits(const CommandLine &line, CompileLimits &result) {
  Expected<int64_t> batch = parseCount(line.maxBatch, 1);
  if (!batch)
    return batch.takeError();
  Expected<int64_t> chunk = parseCount(line.prefillChunk, 1);
  if (!chunk)
    return chunk.takeError();
  if (line.maxContext.getNumOccurrences()) {
    Expected<int64_t> context = parseCount(line.maxContext, 1);
    if (!context)
      return context.takeError();
    result.maxContext = *context;
  }
  result.maxBatch = *batch;
  result.prefillChunk = *chunk;
  const contract::ElementType *states = contract::findElementType(std::string_view(line.stateDtype));
  if (!states || !is_contained({BAMBA_RT_F32, BAMBA_RT_BF16, BAMBA_RT_F16, BAMBA_RT_I8}, states->type))
    return wrongOption("--state-dtype", "f32, bf16, f16 or int8", line.stateDtype);
  result.stateType = states->type;
  if (Error error = readStateRing(line, result))
    return error;
  if (states->type == BAMBA_RT_I8 && result.stateRing == 1)
    return wrongOption("--state-ring", "auto or an integer of at least 2 with --state-dtype=int8", line.stateRing);
  if (!is_contained({"exact", "fast"}, StringRef(line.fp8Accumulate)))
    return wrongOption("--fp8-accumulate", "exact or fast", line.fp8Accumulate);
  result.accumulatesFast = StringRef(line.fp8Accumulate) == "fast";
  return Error::success();
}

static bool isIdentifier(StringRef text) {
  return !text.empty() && !isDigit(text.front()) && all_of(text, [](char c) { return isAlnum(c) || c == '_'; });
}

static Expected<CompileOptions> toCompileOptions(const CommandLine &line) {
  CompileOptions options;
  if (line.config.size() != 1)
    return createStringError("expected one config.json or folder that holds one, found " + Twine(line.config.size()));
  options.config = line.config.front();
  if (!line.targets.empty())
    options.targets.assign(line.targets.begin(), line.targets.end());
  options.nvrtc.path = line.nvrtc;
  options.cpu = line.cpu;
  // More than twice those of any card; launches multiply by them.
  constexpr int64_t mostMultiprocessors = 512;
  Expected<int64_t> multiprocessors = parseCount(line.multiprocessors, 0);
  if (!multiprocessors)
    return multiprocessors.takeError();
  if (*multiprocessors > mostMultiprocessors)
    return wrongOption("--multiprocessors", "an integer from 0 to " + Twine(mostMultiprocessors), line.multiprocessors);
  options.multiprocessors = *multiprocessors;
  if (Error error = readLimits(line, options.limits))
    return error;
  if (Error error = readTypes(line, options))
    return error;
  std::optional<Phase> phase = symbolizePhase(line.compileTo);
  if (!phase)
    return wrongOption("--compile-to", "model, fused, scheduled, kernels or library", line.compileTo);
  options.compileTo = *phase;
  bool writesText = *phase != Phase::Library;
  options.output = line.output.empty() && writesText ? std::string("-") : line.output.getValue();
  if (!writesText && (options.output.empty() || options.output == "-"))
    return createStringError("option '-o': expected a file for the library, found " +
                             Twine(options.output.empty() ? "none" : "the standard output"));
  for (const auto &[option, what] : {std::pair(&line.dumpFolder, "a folder"), std::pair(&line.schedule, "a file")})
    if (option->getNumOccurrences() && option->empty())
      return wrongOption("--" + option->ArgStr, what, *option);
  options.dumpFolder = line.dumpFolder;
  options.scheduleFile = line.schedule;
  options.symbolPrefix = line.symbolPrefix;
  if (line.symbolPrefix.getNumOccurrences() && !isIdentifier(options.symbolPrefix))
    return wrongOption("--symbol-prefix", "letters, digits and underscores that do not start with a digit",
                       options.symbolPrefix);
  Expected<int64_t> threads = parseCount(line.threads, 0);
  if (!threads)
    return threads.takeError();
  options.threads = static_cast<unsigned>(std::min<int64_t>(*threads, 256));
  options.verifyEach = line.verifyEach;
  options.explainFusion = line.explainFusion;
  return options;
}

/// --help shows our options; --help-hidden also those of MLIR, for printing, timing and crash reports.
static void hideOptionsOfLlvm(CommandLine &line) {
  for (auto &[name, option] : cl::getRegisteredOptions()) {
    bool ours = is_contained(option->Categories, &line.category);
    if (ours || name.starts_with("help") || name == "version")
      continue;
    option->setHiddenFlag(name.starts_with("mlir-") ? cl::Hidden : cl::ReallyHidden);
  }
}

/// The first line of what LLVM's parser says, without the program's name.
static std::string firstLine(StringRef text) {
  StringRef line = text.trim().split('\n').first;
  line.consume_front("bambac compile: ");
  return line.str();
}

static void printError(const std::string &message) { errs() << "bambac: error: " << message << '\n'; }

int runCompileCommand(const char *program, ArrayRef<const char *> arguments) {
  CommandLine line;
  mlir::registerAsmPrinterCLOptions();
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  hideOptionsOfLlvm(line);
  cl::SetVersionPrinter([](raw_ostream &stream) { stream << versionText(); });
  SmallVector<const char *> argv{"bambac compile"};
  append_range(argv, arguments);
  std::string complaint;
  raw_string_ostream complaints(complaint);
  if (!cl::ParseCommandLineOptions(static_cast<int>(argv.size()), argv.data(),
                                   "Compiles the configuration of a Bamba model to a shared library.\n", &complaints)) {
    // Some parsers print to stderr themselves.
    if (!complaint.empty())
      printError(firstLine(complaint));
    return 1;
  }
  Error failure = Error::success();
  Expected<CompileOptions> options = toCompileOptions(line);
  if (!options) {
    failure = options.takeError();
  } else {
    options->runtimeFolder = codegen::defaultRuntimeDir(program);
    options->version = BAMBAC_VERSION;
    for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
      if (std::optional<std::string> toolkit = sys::Process::GetEnv(variable))
        options->nvrtc.toolkits.push_back(*toolkit);
    llvm::StringSet<> said; // several targets may warn of the same
    auto warn = [&](const std::string &text) {
      if (said.insert(text).second)
        errs() << "bambac: warning: " << text << '\n';
    };
    failure = compileModel(*options, warn, [](const std::string &text) { errs() << "bambac: note: " << text << '\n'; });
  }
  if (!failure)
    return 0;
  handleAllErrors(std::move(failure), [](const ErrorInfoBase &error) { printError(error.message()); });
  return 1;
}

std::string versionText() { return "bambac " BAMBAC_VERSION "\nLLVM " LLVM_VERSION_STRING "\n"; }

} // namespace bambac
