// Percentiles of what callers see, and the engine's own counters.

#include "runtime/run/bench/engine_report.h"
#include "runtime/run/format.h"
#include "runtime/run/table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace bambac::run {
namespace {

/// Changes when a field changes its meaning or goes; docs/json-output.md lists the fields.
constexpr int engineBenchSchema = 1;

struct Share {
  double share;
  const char *key, *title;
};
constexpr Share shares[] = {{0.5, "p50", ">50%"}, {0.9, "p90", ">90%"}, {0.99, "p99", ">99%"}, {1, "max", ">all"}};

/// The smallest sample that `share` of all are at most.
double percentile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
}

void addLatencies(Table &table, const char *name, std::vector<double> seconds) {
  if (seconds.empty())
    return;
  std::ranges::sort(seconds);
  std::vector<std::string> row = {name};
  for (const Share &share : shares)
    row.push_back(formatSeconds(percentile(seconds, share.share)));
  table.add(row);
}

void addLatencies(Json &json, const char *name, std::vector<double> seconds) {
  if (seconds.empty())
    return;
  std::ranges::sort(seconds);
  for (const Share &share : shares)
    json[name][share.key] = percentile(seconds, share.share) * 1e3;
}

/// Means of a step.
struct StepFigures {
  explicit StepFigures(const bamba_engine_counters &counters) {
    double steps = std::max<double>(static_cast<double>(counters.steps), 1);
    rows = static_cast<double>(counters.step_rows) / steps;
    seconds = counters.step_time.sum / steps;
    hostSeconds = counters.host_time.sum / steps;
  }

  double rows, seconds, hostSeconds;
};

} // namespace

std::string makeEngineText(const MeasuredLoad &load) {
  const EngineRun &run = load.run;
  const bamba_engine_counters &counters = run.counters;
  std::vector<std::string> titles = {""};
  for (const Share &share : shares)
    titles.emplace_back(share.title);
  Table table(titles);
  addLatencies(table, "to the first token", run.toFirstToken);
  addLatencies(table, "between tokens", run.betweenTokens);
  addLatencies(table, "of a request", run.inAll);
  StepFigures step(counters);
  return fmt::format("{} a prefix cache\n  {} requests, {} tokens in {}: {:.1f} tokens/s\n"
                     "  {} steps of {:.1f} rows and {}, of which the host {}; {} preemptions\n"
                     "  prefixes: {} of {} prompt tokens in {} of {} requests\n{}",
                     load.hasPrefixCache ? "with" : "without", run.inAll.size(), formatCount(run.tokens),
                     formatSeconds(run.seconds), static_cast<double>(run.tokens) / run.seconds,
                     formatCount(counters.steps), step.rows, formatSeconds(step.seconds),
                     formatSeconds(step.hostSeconds), counters.preemptions, formatCount(counters.cached_tokens),
                     formatCount(counters.prompt_tokens), counters.cache_hits, counters.submitted, table.str());
}

Json makeEngineJson(const EngineReport &report) {
  Json runs = Json::array();
  for (const MeasuredLoad &load : report.runs) {
    const EngineRun &run = load.run;
    const bamba_engine_counters &counters = run.counters;
    StepFigures step(counters);
    Json &json = runs.emplace_back(Json{{"prefix_cache", load.hasPrefixCache},
                                        {"requests", run.inAll.size()},
                                        {"tokens", run.tokens},
                                        {"seconds", run.seconds},
                                        {"tokens_per_second", static_cast<double>(run.tokens) / run.seconds}});
    addLatencies(json, "to_first_token_ms", run.toFirstToken);
    addLatencies(json, "between_tokens_ms", run.betweenTokens);
    addLatencies(json, "request_ms", run.inAll);
    json["steps"] = {{"count", counters.steps},
                     {"rows", step.rows},
                     {"ms", step.seconds * 1e3},
                     {"host_ms", step.hostSeconds * 1e3}};
    json["preemptions"] = counters.preemptions;
    json["prompt_tokens"] = counters.prompt_tokens;
    json["cached_tokens"] = counters.cached_tokens;
    json["cache_hits"] = counters.cache_hits;
  }
  return {{"schema_version", engineBenchSchema},
          {"library", report.library},
          {"device", report.device},
          {"runs", std::move(runs)}};
}

} // namespace bambac::run
