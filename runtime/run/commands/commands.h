// The commands of bamba-run. Each function adds one to the program; the command runs while the arguments are parsed.
#ifndef BAMBAC_RUNTIME_RUN_COMMANDS_COMMANDS_H
#define BAMBAC_RUNTIME_RUN_COMMANDS_COMMANDS_H

#include <CLI/CLI.hpp>

namespace bambac::run {

void addGenerate(CLI::App &program);
void addLogits(CLI::App &program);
void addInspect(CLI::App &program);
void addInitWeights(CLI::App &program);
void addBench(CLI::App &program);
void addCompare(CLI::App &program);
void addEngineBench(CLI::App &program);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_COMMANDS_COMMANDS_H
