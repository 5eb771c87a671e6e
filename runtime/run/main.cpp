// bamba-run: parses the arguments, runs one command and turns whatever goes wrong into one line and exit code 1.

#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fmt/ranges.h>
#include <new>
#include <string>
#include <utility>
#include <vector>

using namespace bambac::run;

/// One line whatever the message holds.
static int reportError(const char *message) noexcept {
  std::fputs("bamba-run: error: ", stderr);
  for (; *message; ++message)
    std::fputc(*message == '\n' ? ' ' : *message, stderr);
  std::fputc('\n', stderr);
  return 1;
}

/// CLI11's messages are sentences; ours start in lower case.
static std::string lowerFirst(std::string message) {
  if (message.size() > 1 && std::islower(static_cast<unsigned char>(message[1])))
    message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
  return message;
}

[[noreturn]] static void failWithoutCommand(const CLI::App &program) {
  std::vector<std::string> names;
  for (const CLI::App *command : program.get_subcommands([](const CLI::App *) { return true; }))
    names.push_back(command->get_name());
  std::vector<std::string> found = program.remaining();
  fail("expected a command ({}), found {}", fmt::join(names, ", "), found.empty() ? "none" : "'" + found[0] + "'");
}

static int run(int argc, char **argv) {
  CLI::App program("Runs, inspects and measures models that bambac has compiled.", "bamba-run");
  program.set_version_flag("--version", "bamba-run " BAMBAC_VERSION);
  program.require_subcommand(0, 1); // none is refused below, with the names that there are
  addGenerate(program);
  addLogits(program);
  addInspect(program);
  addInitWeights(program);
  addBench(program);
  addCompare(program);
  addEngineBench(program);
  // To CLI11 an option without a text after '=' has no value, and takes the next argument for one.
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (std::ranges::find(arguments, "--tokens=") != arguments.end())
    fail("--tokens: expected at least one token, found none");
  std::ranges::reverse(arguments); // as CLI11 wants them
  try {
    program.parse(std::move(arguments));
  } catch (const CLI::Success &request) { // --help, --version
    return program.exit(request);
  } catch (const CLI::ParseError &error) {
    if (!program.get_subcommands().empty())
      fail("{}", lowerFirst(error.what()));
  }
  if (program.get_subcommands().empty())
    failWithoutCommand(program);
  return 0;
}

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc &) {
    return reportError("out of memory");
  } catch (const std::exception &error) {
    return reportError(error.what());
  }
}
