// A step: tokens of all that decode, then pieces of prompts up to the limit of rows, in one batch of the session. Where
// the device works by itself, the next step is launched before the host has the tokens of the one before.

#include "runtime/engine/runner.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <utility>

namespace bambac::rt {

void Runner::step() {
  if (first.empty() && !running.empty()) {
    plan();
    launch(first);
  }
  if (launchesAhead && !first.empty() && planAhead())
    launch(second);
  if (!first.empty())
    collect(first);
  removeEnded();
  first.clear();
  std::swap(first, second);
}

void Runner::startPlan() {
  pieces.clear();
  plannedPages = plannedRows = 0;
}

void Runner::plan() {
  do {
    startPlan();
    planDecodes(true);
    planPrompts();
    // Several prompts may hold all pages, and none has room to go on.
  } while (pieces.empty() && preemptLast());
  if (pieces.empty())
    fail(*running.back(), BAMBA_EXHAUSTED, "expected pages for one request, found too few");
}

/// Plans a step while tokens of the one before are awaited. False where these must be known first: for what a draw
/// depends on, or since somebody has to make way.
bool Runner::planAhead() {
  startPlan();
  bool mustWait = std::ranges::any_of(running, [](const std::unique_ptr<Request> &request) {
    return request->awaited > 0 && request->draws.needsAnswer();
  });
  if (mustWait || !planDecodes(false)) {
    startPlan();
    return false;
  }
  planPrompts();
  return true;
}

/// Takes a piece that needs so many pages into the plan.
void Runner::add(Request &request, uint32_t count, uint64_t pages) {
  pieces.push_back({&request, count, count == request.pending()});
  plannedRows += count;
  plannedPages += pages;
}

/// Those that decode never wait for others: the least important make way where pages run out. Without `preempts` they
/// do not, and the result is false.
bool Runner::planDecodes(bool preempts) {
  for (size_t i = 0; i < running.size(); ++i) {
    Request &request = *running[i];
    if (!request.decodes() || request.isFull())
      continue;
    uint64_t pages = session.newPages(*request.sequence, 1);
    bool hasRoom = makeRoom(pages);
    if (!hasRoom && !preempts)
      return false;
    while (!hasRoom && preemptLast() && i < running.size())
      hasRoom = makeRoom(pages);
    if (hasRoom)
      add(request, 1, pages);
  }
  return true;
}

/// Prompts take the rows that are left, the most important first, as far as there are pages.
void Runner::planPrompts() {
  for (std::unique_ptr<Request> &request : running) {
    if (request->decodes())
      continue;
    if (plannedRows == maxStepRows)
      return;
    uint32_t wanted = std::min(request->pending(), maxStepRows - plannedRows);
    if (keepsStates(*request))
      wanted = std::min(wanted, cache.nextSnapshot(request->done, request->branch) - request->done);
    makeRoom(session.newPages(*request->sequence, wanted));
    uint32_t count = std::min(wanted, session.tokensFor(*request->sequence, freePages()));
    if (count > 0)
      add(*request, count, session.newPages(*request->sequence, count));
    if (count < wanted)
      return; // the pages that are left are not for those after it
  }
}

/// Asks callers what the next tokens of those may be that get one. Requests that may have none end.
void Runner::allowTokens() {
  for (const Piece &piece : pieces) {
    Request &request = *piece.request;
    if (!piece.draws)
      continue;
    try {
      request.draws.allowAfter(request.answer());
    } catch (const Error &error) {
      plannedRows -= piece.count;
      fail(request, error.status(), error.what());
    }
  }
  std::erase_if(pieces, [](const Piece &piece) { return piece.request->ended; });
  removeEnded();
}

/// Launches what is planned; its pieces become `launched`, which is empty.
void Runner::launch(Pieces &launched) {
  plannedPages = 0; // the session takes them, and nothing else does before
  allowTokens();
  if (pieces.empty())
    return;
  items.clear();
  for (const Piece &piece : pieces) {
    Request &request = *piece.request;
    const int32_t *tokens =
        request.done < request.tokens.size() ? request.tokens.data() + request.done : &request.reference;
    items.push_back({*request.sequence, piece.count, tokens, piece.draws ? BAMBA_LOGITS_LAST : BAMBA_LOGITS_NONE, 0,
                     nullptr, 0, 0, piece.draws ? request.draws.after(request.prompt(), request.answer()) : nullptr});
  }
  Clock::time_point begin = Clock::now();
  session.launch(items);
  runTime += std::chrono::duration<double>(Clock::now() - begin).count();
  ++counters.steps;
  counters.step_rows += plannedRows;
  std::swap(launched, pieces);
  for (size_t i = 0; i < launched.size(); ++i) {
    Request &request = *launched[i].request;
    request.done += launched[i].count;
    request.awaited += launched[i].draws;
    request.reference = -1 - static_cast<int32_t>(i);
    keepState(request); // the device comes to that before it goes on with the sequence
  }
}

/// Takes the tokens of a step that was launched. Those of requests that have ended since are dropped.
void Runner::collect(const Pieces &launched) {
  Clock::time_point begin = Clock::now();
  session.collect();
  now = Clock::now();
  runTime += std::chrono::duration<double>(now - begin).count();
  for (size_t i = 0; i < launched.size(); ++i) {
    Request *request = launched[i].request;
    if (!request || request->ended || !launched[i].draws)
      continue;
    --request->awaited;
    takeToken(*request, i);
  }
}

/// While its prompt is run.
bool Runner::keepsStates(const Request &request) const {
  return request.usesCache && cache.isOn() && request.done < request.promptTokens;
}

/// After a piece of a prompt: keeps the state at the end of the prompt, where it parts from others, and at intervals.
void Runner::keepState(const Request &request) {
  if (!request.usesCache || !cache.isOn() || request.done > request.promptTokens)
    return;
  if (request.done == request.promptTokens || request.done == cache.nextSnapshot(request.done - 1, request.branch))
    cache.keep(std::span(request.tokens).first(request.done), *request.sequence);
}

/// The token after all of what the request has.
void Runner::takeToken(Request &request, size_t item) {
  bamba_sample sample = {};
  try {
    sample = session.sample(item, 0);
  } catch (const Error &error) {
    if (error.status() != BAMBA_NOT_A_NUMBER)
      throw;
    return fail(request, error.status(), error.what());
  }
  std::vector<bamba_token_logprob> best(sample.num_best);
  for (uint32_t i = 0; i < sample.num_best; ++i)
    best[i] = {sample.best_tokens[i], sample.best_logprobs[i]};
  request.tokens.push_back(sample.token); // what may throw comes before the event
  Event &event = addEvent(request);
  --event.index;
  event.token = sample.token;
  event.logprob = sample.logprob;
  event.best = std::move(best);
  event.stop = request.stops.check(request.answer());
  if (event.stop.reason == BAMBA_FINISH_NONE && request.answer().size() == request.maxTokens)
    event.stop.reason = BAMBA_FINISH_LENGTH;
  count(request);
  if (event.stop.reason != BAMBA_FINISH_NONE)
    finish(request);
}

/// A token that was added to an answer.
void Runner::count(Request &request) {
  bool isFirst = request.answer().size() == 1;
  observe(isFirst ? counters.time_to_first_token : counters.time_between_tokens,
          secondsSince(isFirst ? request.submitted : request.lastToken));
  request.lastToken = now;
  ++counters.generated_tokens;
  rate.add(secondsSince(created), 1);
}

void Runner::finish(Request &request) {
  ++counters.finished;
  observe(counters.request_time, secondsSince(request.submitted));
  // A next prompt may go on from this answer. Its last token was not run, unless the next step was launched already.
  if (request.usesCache && cache.isOn() &&
      cache.adopt(std::span(request.tokens).first(request.done), *request.sequence))
    request.sequence.reset();
  retire(request);
}

} // namespace bambac::rt
