// Tables and kernels linked to a library, and that library opened and run.
#include "codegen/link/Link.h"
#include "bamba/bamba.h"
#include "codegen/plan/EmitTables.h"
#include "codegen/plan/Metadata.h"
#include "tests/unit/SmallModel.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "gtest/gtest.h"

#include <dlfcn.h>

using namespace bambac;
using namespace bambac::codegen;
namespace fs = llvm::sys::fs;

using Object = SmallVector<char, 0>;

/// Compiles LLVM IR to an object file.
static Object compile(StringRef text) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(text, diagnostic, context);
  EXPECT_TRUE(module) << diagnostic.getMessage().str();
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine(
      llvm::TargetRegistry::lookupTarget(triple, error)->createTargetMachine(triple, "", "", {}, llvm::Reloc::PIC_));
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  Object object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile);
  passes.run(*module);
  return object;
}

/// Kernels that do nothing, but for the last: its first workgroup says that `%token` is the greedy token of the first
/// row. `body` defines it.
static std::string kernels(const std::string &body) {
  std::string text;
  for (const KernelCode &code : test::smallModelCode()) {
    text += "define void @" + code.name + "(ptr %args, ptr %scratch, i64 %workgroup) {\n";
    if (StringRef(code.name).starts_with("head"))
      text += body + "  %place = getelementptr ptr, ptr %args, i64 3\n  %greedy = load ptr, ptr %place\n"
                     "  store i32 %token, ptr %greedy\n";
    text += "  ret void\n}\n";
  }
  return text;
}

static std::string kernels(int token) { return kernels("  %token = add i32 0, " + std::to_string(token) + "\n"); }

static Object tables(const std::string &model = test::smallModel()) {
  test::ParsedModule module(model);
  FailureOr<Plan> plan = buildPlan(module.get(), test::smallModelCode());
  EXPECT_TRUE(succeeded(plan)) << module.errors();
  return llvm::cantFail(emitTables(*plan, {"1.2.3", ""}));
}

namespace {

class Link : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(fs::createUniqueDirectory("bambac-link", dir)); }
  void TearDown() override { EXPECT_FALSE(fs::remove_directories(dir)); }

  std::string path(StringRef name) const { return (dir + "/" + name).str(); }

  /// The error of a link, or nothing.
  std::string link(StringRef name, std::vector<Object> objects, std::string runtimeDir = BAMBAC_RUNTIME_DIR,
                   std::string symbolPrefix = "") {
    LinkOptions options;
    options.symbolPrefix = std::move(symbolPrefix);
    options.output = path(name);
    options.objects = std::move(objects);
    options.runtimeDir = std::move(runtimeDir);
    options.threads = 1;
    return llvm::toString(linkLibrary(options));
  }

  std::vector<std::string> filesLeft() const {
    std::vector<std::string> names;
    std::error_code code;
    for (fs::directory_iterator file(dir, code), end; file != end; file.increment(code))
      names.push_back(llvm::sys::path::filename(file->path()).str());
    return names;
  }

  SmallString<128> dir;
};

/// A library that was opened; closed with it.
class Library {
public:
  explicit Library(const std::string &path, int flags = RTLD_NOW | RTLD_LOCAL, const std::string &prefix = "")
      : handle(dlopen(path.c_str(), flags)) {
    EXPECT_TRUE(handle) << dlerror();
    auto *query = reinterpret_cast<decltype(&bamba_get_api)>(dlsym(handle, (prefix + "bamba_get_api").c_str()));
    EXPECT_TRUE(query);
    api = query(BAMBA_ABI_VERSION);
  }
  ~Library() { EXPECT_EQ(dlclose(handle), 0); }
  const bamba_api *operator->() const { return api; }

private:
  void *handle;
  const bamba_api *api;
};

} // namespace

/// Runs one token of a new sequence through the library, with the weights of a checkpoint or random ones, and returns
/// the greedy token.
static int greedy(const Library &library, const std::string &checkpoint = "") {
  bamba_error error{sizeof error, {}};
  bamba_model *model = nullptr;
  EXPECT_EQ(library->model_open(nullptr, &model, &error), BAMBA_OK) << error.message;
  if (checkpoint.empty())
    EXPECT_EQ(library->model_load_random(model, 1, &error), BAMBA_OK) << error.message;
  else
    EXPECT_EQ(library->model_load(model, checkpoint.c_str(), nullptr, &error), BAMBA_OK) << error.message;
  bamba_session *session = nullptr;
  bamba_session_options options{sizeof options, 2, 2, 0, nullptr};
  EXPECT_EQ(library->session_create(model, &options, &session, &error), BAMBA_OK) << error.message;
  bamba_sequence sequence = 0;
  EXPECT_EQ(library->sequence_create(session, &sequence, &error), BAMBA_OK) << error.message;
  int32_t token = 3;
  bamba_batch_item item{sequence, 1, &token, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
  EXPECT_EQ(library->session_run(session, &item, 1, sizeof(bamba_batch_item), &error), BAMBA_OK) << error.message;
  EXPECT_EQ(library->session_get_greedy(session, 0, &token, &error), BAMBA_OK) << error.message;
  library->session_destroy(session);
  library->model_close(model);
  return token;
}

TEST_F(Link, LibraryRunsItsKernels) {
  ASSERT_EQ(link("model.so", {compile(kernels(17)), tables()}), "");
  EXPECT_EQ(filesLeft(), std::vector<std::string>{"model.so"});
  for (int time = 0; time < 2; ++time) { // closed and opened again
    Library library(path("model.so"));
    EXPECT_EQ(greedy(library), 17);
    EXPECT_TRUE(StringRef(library->metadata()).contains("\"version\":\"1.2.3\""));
  }
}

/// A checkpoint's file of bf16 tensors, the bits of each element its number in the tensor.
static std::string countingTensors(std::initializer_list<std::pair<StringRef, std::vector<int64_t>>> tensors) {
  std::string header, data;
  for (const auto &[name, shape] : tensors) {
    size_t begin = data.size();
    for (int64_t i = 0, count = llvm::product_of(shape, int64_t{1}); i < count; ++i)
      data += {static_cast<char>(i), static_cast<char>(i >> 8)};
    header += llvm::formatv("{0}\"{1}\":{{\"dtype\":\"BF16\",\"shape\":[{2:$[,]}],\"data_offsets\":[{3},{4}]}",
                            header.empty() ? "" : ",", name, llvm::make_range(shape.begin(), shape.end()), begin,
                            data.size());
  }
  header = "{" + header + "}";
  uint64_t size = header.size();
  return std::string(reinterpret_cast<const char *>(&size), sizeof size) + header + data;
}

TEST_F(Link, RowsOfATensorReachTheKernels) {
  std::string text =
      test::replaced(test::smallModel(), "<\"head.0\", [10, 8],", "<\"head.0\", [50, 8], rows = [30, 10],");
  // The first element of the weight of the head.
  std::string kernel = "  %matrix = getelementptr ptr, ptr %args, i64 1\n  %head = load ptr, ptr %matrix\n"
                       "  %bits = load i16, ptr %head\n  %token = zext i16 %bits to i32\n";
  ASSERT_EQ(link("model.so", {compile(kernels(kernel)), tables(text)}), "");
  std::error_code code;
  llvm::raw_fd_ostream(path("model.safetensors"), code) << countingTensors(
      {{"embed.weight", {30, 8}}, {"conv.weight", {8, 1, 4}}, {"head.0", {50, 8}}, {"head.1", {20, 8}}});
  ASSERT_FALSE(code);
  EXPECT_EQ(greedy(Library(path("model.so")), dir.str().str()), 30 * 8);
}

TEST_F(Link, TwoModelsInOneProcessStayApart) {
  ASSERT_EQ(link("a.so", {compile(kernels(1)), tables()}), "");
  ASSERT_EQ(link("b.so", {compile(kernels(2)), tables()}), "");
  Library a(path("a.so"), RTLD_NOW | RTLD_GLOBAL), b(path("b.so"), RTLD_NOW | RTLD_GLOBAL);
  EXPECT_EQ(greedy(a), 1);
  EXPECT_EQ(greedy(b), 2);
}

/// The names of the symbols that a library exports.
static std::vector<std::string> exportedSymbols(const std::string &path) {
  auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(path));
  std::vector<std::string> names;
  for (const llvm::object::ELFSymbolRef &symbol :
       llvm::cast<llvm::object::ELFObjectFileBase>(file.getBinary())->getDynamicSymbolIterators())
    if (!(llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined))
      names.push_back(llvm::cantFail(symbol.getName()).str());
  llvm::sort(names);
  return names;
}

TEST_F(Link, FunctionsGetThePrefix) {
  ASSERT_EQ(link("plain.so", {compile(kernels(1)), tables()}), "");
  ASSERT_EQ(link("draft.so", {compile(kernels(2)), tables()}, BAMBAC_RUNTIME_DIR, "draft_"), "");
  std::vector<std::string> expected = exportedSymbols(path("plain.so"));
  EXPECT_GT(expected.size(), 20u);
  for (std::string &name : expected)
    name.insert(0, "draft_");
  EXPECT_EQ(exportedSymbols(path("draft.so")), expected);
  EXPECT_EQ(greedy(Library(path("draft.so"), RTLD_NOW | RTLD_LOCAL, "draft_")), 2);
}

TEST_F(Link, ErrorsAreCaughtInsideTheLibrary) {
  ASSERT_EQ(link("model.so", {compile(kernels(0)), tables()}), "");
  Library library(path("model.so"));
  bamba_error error{sizeof error, {}};
  bamba_model *model = nullptr;
  ASSERT_EQ(library->model_open(nullptr, &model, &error), BAMBA_OK) << error.message;
  EXPECT_NE(library->model_load(model, path("missing").c_str(), nullptr, &error), BAMBA_OK);
  EXPECT_TRUE(StringRef(error.message).contains("missing")) << error.message;
  library->model_close(model);
}

TEST_F(Link, ExportsOnlyTheInterface) {
  // A kernel's name may begin like that of the interface.
  std::vector<Object> objects{compile(kernels(0) + "define hidden void @bamba_kernel() { ret void }\n"), tables()};
  ASSERT_EQ(link("model.so", std::move(objects)), "");
  auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(path("model.so")));
  auto *elf = llvm::cast<llvm::object::ELF64LEObjectFile>(file.getBinary());
  unsigned exported = 0;
  for (llvm::object::ELFSymbolRef symbol : elf->getDynamicSymbolIterators()) {
    StringRef name = llvm::cantFail(symbol.getName());
    if (llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined)
      continue;
    ++exported;
    EXPECT_TRUE(name.starts_with("bamba_")) << name.str();
    EXPECT_FALSE(name.starts_with("bamba_rt_")) << name.str();
    EXPECT_NE(name, "bamba_kernel");
  }
  EXPECT_GE(exported, 20u);
}

TEST_F(Link, NeedsOnlyTheCLibrary) {
  ASSERT_EQ(link("model.so", {compile(kernels(0)), tables()}), "");
  auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(path("model.so")));
  const auto &elf = llvm::cast<llvm::object::ELF64LEObjectFile>(file.getBinary())->getELFFile();
  std::set<std::string> allowed{"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"};
  StringRef strings;
  for (const auto &section : llvm::cantFail(elf.sections()))
    if (llvm::cantFail(elf.getSectionName(section)) == ".dynstr")
      strings = toStringRef(llvm::cantFail(elf.getSectionContents(section)));
  unsigned needed = 0;
  for (const auto &entry : llvm::cantFail(elf.dynamicEntries()))
    if (entry.getTag() == llvm::ELF::DT_NEEDED) {
      ++needed;
      std::string name = strings.drop_front(entry.getVal()).split('\0').first.str();
      EXPECT_TRUE(allowed.count(name)) << name;
    }
  EXPECT_GE(needed, 1u);
}

TEST_F(Link, MissingKernelIsOneLine) {
  std::string error = link("model.so", {tables()});
  EXPECT_TRUE(StringRef(error).starts_with("cannot link '" + path("model.so") + "': undefined hidden symbol: "))
      << error;
  EXPECT_TRUE(StringRef(error).ends_with(" (and 5 more errors)")) << error;
  EXPECT_TRUE(filesLeft().empty());
}

TEST_F(Link, FailureLeavesTheOldFile) {
  std::error_code code;
  llvm::raw_fd_ostream(path("model.so"), code) << "old";
  EXPECT_NE(link("model.so", {tables()}), "");
  auto old = llvm::MemoryBuffer::getFile(path("model.so"));
  ASSERT_TRUE(static_cast<bool>(old));
  EXPECT_EQ((*old)->getBuffer(), "old");
  EXPECT_EQ(filesLeft(), std::vector<std::string>{"model.so"});
}

TEST_F(Link, OutputThatCannotBeWritten) {
  EXPECT_EQ(link("missing/model.so", {tables()}),
            "cannot write '" + path("missing/model.so") + "': No such file or directory");
  ASSERT_FALSE(fs::create_directory(path("folder")));
  EXPECT_EQ(link("folder", {tables()}), "cannot write '" + path("folder") + "': Is a directory");
  EXPECT_EQ(filesLeft(), std::vector<std::string>{"folder"});
}

TEST_F(Link, RuntimeThatIsNotThere) {
  EXPECT_EQ(link("model.so", {tables()}, "/nowhere"), "cannot read '/nowhere/crti.o': No such file or directory");
  EXPECT_TRUE(filesLeft().empty());
}
