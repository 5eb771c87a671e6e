// bamba-run inspect: what a library was compiled from and for, read from its metadata; no model is opened.

#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/inspect/inspect_text.h"
#include "runtime/run/options.h"

#include <memory>

namespace bambac::run {
namespace {

struct InspectOptions {
  std::string library;
  bool kernels = false;
  bool weights = false;
  bool asJson = false;
};

} // namespace

static void inspect(const InspectOptions &options) {
  Library library(options.library);
  if (options.asJson)
    return printJson(readMetadataJson(library));
  std::vector<Metadata> models = readMetadata(library);
  try {
    std::string text = describeSummary(library, models);
    for (const Metadata &model : models) {
      if (options.kernels)
        text += describeKernels(model);
      if (options.weights)
        text += describeWeights(model);
    }
    print(text);
  } catch (const Json::exception &error) {
    fail("cannot read the metadata of '{}': {}", library.path(), error.what());
  }
}

void addInspect(CLI::App &program) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App *command = program.add_subcommand("inspect", "Show what a library was compiled from and for");
  addLibraryArgument(*command, options->library);
  command->add_flag("--kernels", options->kernels, "Also each kernel, its launches and its schedule");
  command->add_flag("--weights", options->weights, "Also each weight, the tensors that it is made of, and the states");
  command->add_flag("--json", options->asJson, "Everything as JSON; docs/json-output.md has its fields");
  command->callback([options] { inspect(*options); });
}

} // namespace bambac::run
