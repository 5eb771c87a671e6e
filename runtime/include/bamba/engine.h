/* The engine of a compiled model: it takes requests from any thread, runs them together and answers token by token.
 *
 * An engine owns one session, a thread that runs it, a queue of requests and a cache of prompts that were seen before.
 * Its functions are members of bamba_engine_api, which bamba_get_api() leads to, and symbols of the library like those
 * of bamba.h, whose rules for statuses, errors, structs and versions hold here too. Every function may be called from
 * any thread at any time, except that bamba_engine_destroy() must be the last call.
 *
 * The life of a request
 *   submitted  it waits in a queue, by priority and then by age. A full queue refuses it with BAMBA_EXHAUSTED.
 *   running    it has a slot of the session. Its prompt is processed in pieces, in the same steps in which other
 *              requests get their tokens. A step has at most `max_step_rows` rows, so that a long prompt delays others
 *              by no more than such a step.
 *   preempted  where pages run out, the least important request (the lowest priority, then the youngest) is saved to
 *              host memory, waits at the head of the queue and goes on later. Its answer does not change.
 *   ended      its last event says why. Each accepted request gets exactly one last event.
 *
 * Events
 *   A request with a callback has its events passed to that, on the engine's thread: the callback must be quick, may
 *   submit and cancel, and must not poll, drain or destroy. Events of all others are kept until they are polled.
 *   While the host has no memory for them, events wait, and steps with them; none is lost.
 *
 * fork()
 *   The engine's thread does not come along into a child: there every function but bamba_engine_destroy() fails with
 *   BAMBA_UNSUPPORTED.
 */
#ifndef BAMBA_ENGINE_H
#define BAMBA_ENGINE_H

#include "bamba/bamba.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bamba_engine bamba_engine;

/* Names a request of one engine: above 0, in the order of submission, and never used again. */
typedef uint64_t bamba_request;

typedef enum bamba_prefix_cache {
  BAMBA_PREFIX_CACHE_DEFAULT = 0, /* on */
  BAMBA_PREFIX_CACHE_ON = 1,
  BAMBA_PREFIX_CACHE_OFF = 2
} bamba_prefix_cache;

typedef struct bamba_engine_options {
  size_t struct_size;
  uint32_t slots;   /* requests that run at a time; default max_batch */
  uint32_t threads; /* as in bamba_session_options */
  uint64_t pages;   /* pages of the KV cache that running requests have for themselves, at least those of one sequence
                       at max_context; default enough for every slot at max_context */
  uint32_t max_step_rows; /* rows of one step, tokens of requests that decode and of prompts together; at least `slots`;
                             default the larger of slots and prefill_chunk */
  uint32_t queue_limit;   /* requests that can wait, those preempted not counted; default 1024 */
  bamba_prefix_cache prefix_cache;
  uint32_t snapshot_interval;  /* tokens of a prompt between two states that the prefix cache keeps; default 1024 */
  uint64_t cache_device_bytes; /* memory of the device for prefixes, in addition to that of slots and pages; default
                                  that of 8 slots and their pages for 1024 tokens */
  uint64_t cache_host_bytes;   /* memory of the host for prefixes that the device has no room for; default none */
} bamba_engine_options;

/* Why a request has ended. */
typedef enum bamba_finish {
  BAMBA_FINISH_NONE = 0,          /* it goes on */
  BAMBA_FINISH_LENGTH = 1,        /* it has max_tokens tokens, or the context is full */
  BAMBA_FINISH_STOP_TOKEN = 2,    /* the last token is one of stop_tokens, or ends a text by the model's config */
  BAMBA_FINISH_STOP_SEQUENCE = 3, /* the last tokens are one of stop_sequences */
  BAMBA_FINISH_CANCELLED = 4,     /* by bamba_engine_cancel or bamba_engine_destroy */
  BAMBA_FINISH_ERROR = 5          /* `status` and `message` of the event say what has failed */
} bamba_finish;

/* A token and the natural logarithm of its probability. */
typedef struct bamba_token_logprob {
  int32_t token;
  float logprob;
} bamba_token_logprob;

#define BAMBA_MAX_TOP_LOGPROBS BAMBA_MAX_BEST
#define BAMBA_EVENT_MESSAGE 128

/* One token of a request, or its end, or both: the last token comes with the reason. */
typedef struct bamba_engine_event {
  size_t struct_size; /* set by the library: fields beyond it are not there */
  bamba_request request;
  void *user;             /* of the request */
  int32_t token;          /* the new token, or -1: a request that is cancelled or fails ends without one */
  uint32_t index;         /* of the token among those of the answer, from 0; without a token, how many there were */
  bamba_finish finish;    /* BAMBA_FINISH_NONE, but for the last event */
  uint32_t stop_tokens;   /* with a stop: how many of the last tokens are the stop token or sequence; else 0 */
  uint32_t stop_index;    /* with BAMBA_FINISH_STOP_SEQUENCE: which of stop_sequences */
  bamba_status status;    /* BAMBA_OK, but with BAMBA_FINISH_ERROR */
  uint32_t prompt_tokens; /* tokens of the prompt, and how many of them the prefix cache had */
  uint32_t cached_tokens;
  float logprob;             /* of the token, with `logprobs`; else 0 */
  uint32_t num_top_logprobs; /* entries of top_logprobs, the largest first */
  bamba_token_logprob top_logprobs[BAMBA_MAX_TOP_LOGPROBS];
  char message[BAMBA_EVENT_MESSAGE]; /* with BAMBA_FINISH_ERROR: one line of text */
} bamba_engine_event;

/* Takes an event, which lives only during the call. Must not throw. */
typedef void (*bamba_event_callback)(void *user, const bamba_engine_event *event);

/* Some tokens; only read during the call that they are passed to. */
typedef struct bamba_token_list {
  const int32_t *tokens;
  size_t num_tokens;
} bamba_token_list;

/* The largest num_stop_tokens and num_stop_sequences, and the most tokens of a stop sequence. */
#define BAMBA_MAX_STOPS 64
#define BAMBA_MAX_STOP_SEQUENCE 64

/* Says which tokens may follow, for structured output. Called on the engine's thread, with the `user` of the request,
 * once before each token of its answer is drawn: `token` is the answer's last one, or -1 before the first. Sets bits of
 * `allowed`, (vocab_size + 31) / 32 words of zeros that are laid out as in bamba_sampling, and returns 0. Any other
 * result, or no allowed token at all, ends the request with BAMBA_FINISH_ERROR. Steps wait for it: it must be quick. It
 * may submit and cancel, and must not throw, poll, drain or destroy. */
typedef int (*bamba_allow_callback)(void *user, int32_t token, uint32_t *allowed);

/* A request; everything that it points to, other than `user`, is only read during bamba_engine_submit(). */
typedef struct bamba_request_options {
  size_t struct_size;
  const int32_t *prompt; /* at least one token */
  size_t num_prompt;
  const int32_t *stop_tokens; /* each ends the answer, of which it is the last token */
  size_t num_stop_tokens;
  const bamba_token_list *stop_sequences; /* each ends the answer, of which it is the end; an array of this size */
  size_t num_stop_sequences;
  bamba_event_callback callback; /* NULL: events are polled */
  void *user;                    /* passed to the callback, and part of each event */
  uint32_t max_tokens;           /* default as many as the context has room for */
  int32_t priority;              /* larger is earlier; default 0 */
  uint32_t ignore_eos;           /* 1: the tokens that end a text by the model's config do not end the answer */
  uint32_t logprobs;             /* 1: the log-probability of each token */
  uint32_t top_logprobs;    /* log-probabilities of as many of the best tokens, at most BAMBA_MAX_TOP_LOGPROBS; needs
                               `logprobs` */
  uint32_t no_prefix_cache; /* 1: neither takes prefixes from the cache nor leaves any there */
  const bamba_sampling *sampling; /* how tokens are drawn; NULL: each is the most likely one. The same seed draws the
                                     same tokens whatever else runs. The engine knows the tokens that penalties count,
                                     and `logprobs` asks for log-probabilities: `prompt`, `generated`, `wants_logprobs`
                                     and what goes with them must be zero */
  bamba_allow_callback allow;     /* NULL: none; else tokens must be allowed both by it and by `sampling` */
} bamba_request_options;

/* Bucket i of a histogram counts what took at most 0.0001 * 2^i seconds and more than the bound before; the last one
 * has no bound. */
#define BAMBA_HISTOGRAM_BUCKETS 24

typedef struct bamba_histogram {
  uint64_t count;
  double sum; /* seconds */
  uint64_t buckets[BAMBA_HISTOGRAM_BUCKETS];
} bamba_histogram;

/* What an engine does and has done since it was created. All of it is of the same moment. */
typedef struct bamba_engine_counters {
  size_t struct_size;
  double seconds; /* since the engine was created */
  /* Now. */
  uint32_t running;   /* requests with a slot */
  uint32_t waiting;   /* requests in the queue, preempted ones too */
  uint32_t preempted; /* requests in the queue whose state is in host memory */
  uint32_t slots;     /* for running requests */
  uint64_t pages;     /* of the KV cache, those for prefixes too */
  uint64_t free_pages;
  double tokens_per_second; /* generated, over about the last ten seconds */
  /* In all. */
  uint64_t submitted; /* accepted */
  uint64_t rejected;  /* refused since the queue was full */
  uint64_t finished;  /* ended by length or a stop */
  uint64_t cancelled;
  uint64_t failed;
  uint64_t preemptions;
  uint64_t prompt_tokens;    /* of requests that have got a slot */
  uint64_t generated_tokens; /* delivered */
  uint64_t steps;            /* batches that the session has run */
  uint64_t step_rows;        /* tokens in them */
  /* The prefix cache. */
  uint64_t cache_lookups;       /* requests that looked for a prefix */
  uint64_t cache_hits;          /* and found one */
  uint64_t cached_tokens;       /* tokens of prompts that need not be run */
  uint64_t cache_entries;       /* states that are kept now */
  uint64_t cache_device_bytes;  /* now */
  uint64_t cache_host_bytes;    /* now */
  uint64_t cache_evictions;     /* states that were dropped to make room */
  uint64_t cache_moves_to_host; /* and those that went from the device to the host */
  /* Histograms of seconds. */
  bamba_histogram queue_time;          /* from the submission to the first slot */
  bamba_histogram time_to_first_token; /* from the submission */
  bamba_histogram time_between_tokens;
  bamba_histogram request_time; /* from the submission to the end, of finished requests */
  bamba_histogram step_time;    /* of one step, from the start of one to that of the next */
  bamba_histogram host_time;    /* the part of that in which the host neither runs the session, nor waits for it, nor
                                   sleeps; a GPU works on the next step meanwhile */
} bamba_engine_counters;

/* Creates an engine and starts its thread. The model has its weights, and must outlive the engine. `options` may be
 * NULL. Fails as bamba_session_create does. */
BAMBA_API bamba_status bamba_engine_create(const bamba_model *model, const bamba_engine_options *options,
                                           bamba_engine **engine, bamba_error *error);

/* Ends all requests as cancelled, stops the thread and frees the engine; events that were not polled are lost. Not from
 * a callback. NULL is allowed. */
BAMBA_API void bamba_engine_destroy(bamba_engine *engine);

/* Submits a request; `*request` is its number, set before its first event. BAMBA_EXHAUSTED where the queue is full,
 * BAMBA_OUT_OF_RANGE for a token that does not exist or a prompt that leaves no room for a token, BAMBA_NOT_READY after
 * bamba_engine_drain(). */
BAMBA_API bamba_status bamba_engine_submit(bamba_engine *engine, const bamba_request_options *options,
                                           bamba_request *request, bamba_error *error);

/* Ends a request. Its last event follows soon: BAMBA_FINISH_CANCELLED, unless it has just ended in another way. No
 * token comes with or after it. BAMBA_NOT_FOUND where no such request is known: its last event was taken before. */
BAMBA_API bamba_status bamba_engine_cancel(bamba_engine *engine, bamba_request request, bamba_error *error);

/* Takes up to `capacity` events of `request`, or of all requests without a callback where it is 0, in the order in
 * which they came; waits up to `timeout_ms` milliseconds for the first (0: not at all; UINT32_MAX: without an end).
 * `*count` is how many there were. `event_size` is sizeof(bamba_engine_event), from one event to the next. One thread
 * should poll a request at a time, else each has a part of its events. BAMBA_NOT_FOUND where no such request is known:
 * its last event was taken before. With 0 an engine that is drained and has nothing more to give is BAMBA_NOT_READY. */
BAMBA_API bamba_status bamba_engine_poll(bamba_engine *engine, bamba_request request, bamba_engine_event *events,
                                         size_t capacity, size_t event_size, uint32_t timeout_ms, size_t *count,
                                         bamba_error *error);

/* Refuses requests from now on, and waits up to `timeout_ms` milliseconds (UINT32_MAX: without an end) until all that
 * were accepted have ended; `*left` is how many have not. */
BAMBA_API bamba_status bamba_engine_drain(bamba_engine *engine, uint32_t timeout_ms, size_t *left, bamba_error *error);

/* Fills in `counters`, whose struct_size the caller has set. */
BAMBA_API bamba_status bamba_engine_get_counters(const bamba_engine *engine, bamba_engine_counters *counters,
                                                 bamba_error *error);

/* Every function above, by name: `engine` of bamba_api. Later minor versions append to the end. */
typedef struct bamba_engine_api {
  size_t struct_size;
  bamba_status (*create)(const bamba_model *, const bamba_engine_options *, bamba_engine **, bamba_error *);
  void (*destroy)(bamba_engine *);
  bamba_status (*submit)(bamba_engine *, const bamba_request_options *, bamba_request *, bamba_error *);
  bamba_status (*cancel)(bamba_engine *, bamba_request, bamba_error *);
  bamba_status (*poll)(bamba_engine *, bamba_request, bamba_engine_event *, size_t, size_t, uint32_t, size_t *,
                       bamba_error *);
  bamba_status (*drain)(bamba_engine *, uint32_t, size_t *, bamba_error *);
  bamba_status (*get_counters)(const bamba_engine *, bamba_engine_counters *, bamba_error *);
} bamba_engine_api;

#ifdef __cplusplus
}
#endif
#endif /* BAMBA_ENGINE_H */
