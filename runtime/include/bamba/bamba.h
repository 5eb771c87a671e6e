/* The C interface of a compiled model: every library that `bambac compile` produces exports exactly these functions and
 * those of bamba/engine.h.
 *
 * Objects and their owners
 *   model     immutable once its weights are loaded; may be shared by any number of threads and sessions.
 *   session   owns the state of up to `slots` sequences and the scratch memory to run them; one thread at a time.
 *   sequence  a number that names one sequence inside its session; it holds no memory of its own.
 * The caller closes what it opened, sessions before their model.
 *
 * Errors
 *   Every function that can fail returns a bamba_status and fills in a bamba_error, where the caller passes one.
 *   Nothing throws, exits, prints or aborts. A call that fails leaves its objects as they were before, but one that
 *   fails with BAMBA_DEVICE_ERROR or BAMBA_INTERNAL leaves the sequences it names to be reset or freed; no slot or
 *   page is lost with it.
 *
 * Devices
 *   A model runs on the device that it was opened on. On a CUDA device it works in the device's primary context, which
 *   it makes current only inside a call: the caller's own contexts are left as they are. The CUDA driver is loaded when
 *   it is first needed; without one a library still runs on the processor, if it was compiled for it.
 *
 * fork()
 *   On the processor, a child that is forked while no call is in progress can go on with the models and sessions that
 *   it inherits, or close them; so can its parent. In a child of a process that has used the CUDA driver, objects on a
 *   CUDA device can only be closed, and everything else with them is BAMBA_UNSUPPORTED.
 *
 * Structs
 *   Every struct has a size, so that programs and libraries of different versions of this header work together: the
 *   caller sets `struct_size` to sizeof the struct that it was compiled with; for the items of a batch the size is an
 *   argument. Zero in any other field of an options struct or an item means "the default"; `reserved` fields are zero.
 *   What a caller's struct lacks has its default. What it has beyond the library's own must be zero, else the call
 *   fails with BAMBA_INVALID_ARGUMENT: the library does not know what is asked for. Of a struct that a library fills
 *   in, it writes what the caller's size has room for, and zeros to what it does not know.
 */
#ifndef BAMBA_BAMBA_H
#define BAMBA_BAMBA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BAMBA_API __attribute__((visibility("default")))
#else
#define BAMBA_API
#endif

/* The version of this header, which the version of bambac does not determine. MAJOR changes when an existing function
 * or field changes its meaning: a program and a library of different majors do not work together, and bamba_get_api()
 * says so. MINOR grows with each function, field, status or enumerator that is added at an end. */
#define BAMBA_VERSION_MAJOR 2
#define BAMBA_VERSION_MINOR 1
#define BAMBA_VERSION (BAMBA_VERSION_MAJOR << 16 | BAMBA_VERSION_MINOR)
#define BAMBA_ABI_VERSION BAMBA_VERSION_MAJOR

typedef enum bamba_status {
  BAMBA_OK = 0,
  BAMBA_INVALID_ARGUMENT = 1, /* a null handle, a wrong struct_size, an unknown field, a malformed batch */
  BAMBA_NOT_FOUND = 2,        /* a file, tensor or sequence that does not exist */
  BAMBA_IO_ERROR = 3,         /* the operating system refused a read or a thread; a file was cut while it was read */
  BAMBA_BAD_CHECKPOINT = 4,   /* a missing, extra, misshapen, wrong-typed or damaged tensor; another config.json */
  BAMBA_OUT_OF_RANGE = 5,     /* a token, context or batch beyond what the library was compiled for */
  BAMBA_EXHAUSTED = 6,        /* no free slot or KV page is left in the session */
  BAMBA_UNSUPPORTED = 7,      /* this machine or process lacks an instruction or device that the library needs */
  BAMBA_OUT_OF_MEMORY = 8,
  BAMBA_BAD_STATE = 9,  /* a saved state that is damaged or belongs to another model or other weights */
  BAMBA_NOT_READY = 10, /* a model without weights, logits before the first run or of an item that keeps none */
  BAMBA_INTERNAL = 11,
  BAMBA_DEVICE_ERROR = 12, /* the device or its driver failed; it may need a new process */
  BAMBA_NOT_A_NUMBER = 13  /* logits have no largest, since one of them is not a number */
} bamba_status;

/* One line of text, without a newline, about the last failure of the call that filled it. Owned by the caller. */
typedef struct bamba_error {
  size_t struct_size;
  char message[504];
} bamba_error;

typedef struct bamba_model bamba_model;
typedef struct bamba_session bamba_session;

/* Names a sequence inside one session. Numbers are reused after bamba_sequence_free. */
typedef uint32_t bamba_sequence;

typedef struct bamba_model_options {
  size_t struct_size;
  /* "cpu"; "cuda:I" for the CUDA device of number I; "cuda" for the first that the library has code for; NULL for the
   * first such CUDA device or, where there is none, the processor. The string is only read during the call. */
  const char *device;
} bamba_model_options;

/* What the library was compiled for and what a loaded model costs; sizes in bytes. */
typedef struct bamba_model_info {
  size_t struct_size;
  uint32_t vocab_size;
  uint32_t max_batch;     /* sequences that one step can decode together */
  uint32_t max_context;   /* tokens that one sequence can hold */
  uint32_t prefill_chunk; /* tokens of one prompt that one step can take */
  uint32_t page_tokens;   /* tokens in one page of the KV cache; 0 for a model without attention */
  uint32_t reserved;
  uint64_t weight_bytes; /* weights in memory, as the kernels want them */
  uint64_t slot_bytes;   /* convolution and SSM state of one sequence */
  uint64_t page_bytes;   /* one page of the KV cache, all attention layers */
  /* The code and the device that were chosen; the strings live as long as the model. */
  const char *target;      /* "cpu", "sm_80", "sm_90a" */
  const char *device;      /* "cpu", "cuda:0" */
  const char *device_name; /* "NVIDIA H200" */
  /* From the config.json that the library was compiled from; the array lives as long as the model. */
  const int32_t *eos_tokens; /* tokens that end a text; NULL where there are none */
  uint32_t num_eos_tokens;
  int32_t bos_token; /* the token that begins a text, or -1 */
  /* since 2.1 */
  uint32_t state_ring; /* decode steps from one write of a sequence's SSM states to the next; 1: each writes them */
  uint32_t reserved2;
} bamba_model_info;

typedef struct bamba_session_options {
  size_t struct_size;
  uint32_t slots;   /* sequences that can be alive at a time; default max_batch */
  uint32_t threads; /* that compute, the caller's included; default one a processor of its affinity, within its quota */
  uint64_t pages;   /* pages in the KV cache; default enough for every slot at max_context */
  /* For models on a CUDA device: a CUstream of its primary context that outlives the session, or NULL for one of the
   * session's own. With the caller's, bamba_session_run returns when all work is in it, after what was there; functions
   * that return results wait for them, and a failure of the device may show in a later call. */
  void *stream;
} bamba_session_options;

/* Which rows of logits a batch item leaves to be read. */
typedef enum bamba_logits {
  BAMBA_LOGITS_LAST = 0,  /* of the item's last token */
  BAMBA_LOGITS_ALL = 1,   /* of each of the item's tokens */
  BAMBA_LOGITS_NONE = 2,  /* none: to read the item's logits or greedy token is BAMBA_NOT_READY */
  BAMBA_LOGITS_CHOSEN = 3 /* of the tokens that `chosen` names */
} bamba_logits;

/* The most likely tokens whose log-probabilities a row can give. */
#define BAMBA_MAX_BEST 20

/* What is added to the logit of a token. */
typedef struct bamba_logit_bias {
  int32_t token;
  float bias;
} bamba_logit_bias;

/* How the token after a row of logits is drawn; zeros: the most likely one. The order of what is done, with z a logit
 * and T the temperature: penalties and bias change z; `allowed`, `top_k`, `top_p` and `min_p` leave some tokens; of
 * these one is drawn by softmax of z / T. Tokens as likely as the last one that top_k or top_p leaves are left too.
 * A draw depends on the logits, the parameters, `seed` and the position of the token in its sequence, and on nothing
 * else: the same seed gives the same tokens whatever else is in the batch. With zeros in all but `seed` and what is
 * asked for in addition, the token is that of bamba_session_get_greedy.
 *
 * Only read during the call. The penalties of one sequence are counted as its lists grow: tokens that an earlier batch
 * had in `prompt` and `generated` must be the same in later ones, until the sequence is reset, restored or freed. */
typedef struct bamba_sampling {
  size_t struct_size;
  uint64_t seed;
  float temperature; /* 0: the most likely token of those that are left */
  float top_p;       /* the share of likelihood that is left, up to 1; however small, one token is left; default 1 */
  float min_p;       /* leaves tokens at least that many times as likely as the most likely one */
  float repetition_penalty; /* divides z > 0 and multiplies others, for tokens of both lists; default 1 */
  float presence_penalty;   /* is subtracted from z for tokens of `generated` */
  float frequency_penalty;  /* the same, for each time that a token is in `generated` */
  uint32_t top_k;           /* the number of the most likely tokens that are left; default all */
  uint32_t wants_logprobs;  /* 1: log-probabilities, by softmax of the logits as the model gives them */
  uint32_t num_best;        /* also those of the most likely tokens, at most BAMBA_MAX_BEST */
  uint32_t num_bias;
  const bamba_logit_bias *bias;
  const uint32_t *allowed; /* a bit for each token, 32 a word, token t is bit t % 32 of word t / 32; NULL: all */
  const int32_t *prompt;   /* for penalties: the tokens that the sequence began with, and those that followed */
  const int32_t *generated;
  uint32_t num_prompt;
  uint32_t num_generated;
} bamba_sampling;

/* The token drawn after a row of logits. The arrays are owned by the session and valid until its next run. */
typedef struct bamba_sample {
  size_t struct_size;
  int32_t token;
  float logprob;     /* of the token; 0 where log-probabilities were not wanted */
  uint32_t num_best; /* tokens in the arrays, the most likely first */
  uint32_t reserved;
  const int32_t *best_tokens; /* NULL where none were wanted */
  const float *best_logprobs;
} bamba_sample;

/* Tokens to append to one sequence. Later versions append fields. */
typedef struct bamba_batch_item {
  bamba_sequence sequence;
  uint32_t num_tokens;   /* at least 1; a long prompt is processed in chunks */
  const int32_t *tokens; /* num_tokens tokens, each in [0, vocab_size); only read during the call */
  bamba_logits logits;
  uint32_t reserved; /* 0 */
  /* With BAMBA_LOGITS_CHOSEN, numbers of the item's tokens in ascending order, from 0 to num_tokens - 1: the logits
   * after these are left, a row for each. At least one; only read during the call. Otherwise NULL and 0. */
  const uint32_t *chosen;
  uint32_t num_chosen;
  uint32_t reserved2;             /* 0 */
  const bamba_sampling *sampling; /* of the token after each row of logits that is left; NULL: the most likely */
} bamba_batch_item;

/* Called from the loading thread with bytes done and in all; return nonzero to give up (status BAMBA_IO_ERROR). */
typedef int (*bamba_progress)(void *user, uint64_t done, uint64_t total);

/* Called from the loading thread with one line of text about what does not keep a checkpoint from being loaded: rows
 * that the model does not take, a copy of a tensor that differs from the one that the model reads. */
typedef void (*bamba_warning)(void *user, const char *message);

typedef struct bamba_load_options {
  size_t struct_size;
  bamba_progress progress; /* may be NULL */
  bamba_warning warning;   /* may be NULL */
  void *user;              /* passed to both */
  uint32_t any_config;     /* 1: load even where the config.json next to the checkpoint is that of another model */
  uint32_t reserved;       /* 0 */
} bamba_load_options;

/* What one launch of a kernel took; see bamba_session_profile. The strings live as long as the library. */
typedef struct bamba_launch_time {
  size_t struct_size; /* set by the library: fields beyond it are not there */
  uint32_t step;      /* number of the step in the batch */
  uint32_t launch;    /* number of the launch in its step */
  const char *entry;  /* the program of the step, as the metadata names it: "decode_b8" */
  const char *kernel; /* as the metadata names it; the same kernel may be launched many times */
  double seconds;     /* the median of all repeats */
} bamba_launch_time;

/* Called for each launch in order. */
typedef void (*bamba_profile)(void *user, const bamba_launch_time *time);

/* ---- the library itself: thread-safe, no model needed ---- */

/* BAMBA_ABI_VERSION and BAMBA_VERSION of the library. */
BAMBA_API uint32_t bamba_abi_version(void);
BAMBA_API uint32_t bamba_version(void);

/* The name of a status, such as "BAMBA_OK"; a static string, never NULL. */
BAMBA_API const char *bamba_status_name(bamba_status status);

/* The metadata of the library as JSON: {"models": [one object for each target, with its config, entry points, kernels,
 * weights, states and memory plan]}; a static, NUL-terminated string. */
BAMBA_API const char *bamba_metadata(void);

/* ---- model ---- */

/* Opens the model on a device. `options` may be NULL. BAMBA_UNSUPPORTED where this machine lacks what it needs. */
BAMBA_API bamba_status bamba_model_open(const bamba_model_options *options, bamba_model **model, bamba_error *error);

/* Closes a model; every session of it must be destroyed before. NULL is allowed. */
BAMBA_API void bamba_model_close(bamba_model *model);

/* Loads a checkpoint: a folder with model.safetensors, or with model.safetensors.index.json and its shards, or the path
 * of one .safetensors file. Tensors are converted to the types that the library was compiled for; numbers beyond the
 * range of f16 become +-65504 there. On the processor, loading takes little memory beyond the weights themselves.
 *
 * The config.json in the same folder, where there is one, must say the model that was compiled, in every field that
 * changes its answers (`any_config` goes on without). A tensor that the model does not know is an error, but for
 * buffers that follow from the configuration, scales of a cache that holds numbers, and a head next to tied embeddings,
 * where the embedding counts. Embeddings may have more rows than the vocabulary.
 *
 * Not thread-safe against other uses of the same model; afterwards the model is immutable. A second load fails with
 * BAMBA_INVALID_ARGUMENT. `options` may be NULL. */
BAMBA_API bamba_status bamba_model_load(bamba_model *model, const char *path, const bamba_load_options *options,
                                        bamba_error *error);

/* Fills the weights with random numbers of the scale that a fresh model has, for measurements. Same rules as
 * bamba_model_load. The same seed gives the same weights. */
BAMBA_API bamba_status bamba_model_load_random(bamba_model *model, uint64_t seed, bamba_error *error);

/* Fills in `info`, whose struct_size the caller has set. Thread-safe. */
BAMBA_API bamba_status bamba_model_get_info(const bamba_model *model, bamba_model_info *info, bamba_error *error);

/* ---- session: one thread at a time for each session; sessions of one model run in parallel ---- */

/* Creates a session; `options` may be NULL. The memory that it needs is allocated here, on a CUDA device in full. What
 * takes more, and only where it is more than ever before: rows of logits of one prompt, or of a batch beyond the number
 * of slots; the first logits fetched from a device; and the lists of sampling parameters. */
BAMBA_API bamba_status bamba_session_create(const bamba_model *model, const bamba_session_options *options,
                                            bamba_session **session, bamba_error *error);

/* Destroys a session and its sequences. NULL is allowed. */
BAMBA_API void bamba_session_destroy(bamba_session *session);

/* Appends the tokens of each item to its sequence and computes logits. Items name different sequences; at most
 * `slots` items. Items of one token and longer ones may be mixed: they share steps as far as these have room, and
 * prompts that are longer than a step are processed in chunks. The sequences are unchanged when an argument is refused.
 * `item_size` is sizeof(bamba_batch_item), from one item to the next. */
BAMBA_API bamba_status bamba_session_run(bamba_session *session, const bamba_batch_item *items, size_t num_items,
                                         size_t item_size, bamba_error *error);

/* The logits of item `item` of the last run: `*rows` rows of vocab_size floats, row-major, owned by the session and
 * valid until its next run. */
BAMBA_API bamba_status bamba_session_get_logits(const bamba_session *session, size_t item, const float **logits,
                                                size_t *rows, bamba_error *error);

/* The token with the largest logit (the first of several) in the last row of logits of item `item` of the last run.
 * BAMBA_NOT_A_NUMBER where a logit of that token is not a number (infinities are numbers): the weights or the type of
 * the library do not serve for these tokens. Other items and sequences are as good as ever. */
BAMBA_API bamba_status bamba_session_get_greedy(const bamba_session *session, size_t item, int32_t *token,
                                                bamba_error *error);

/* The token drawn after row `row` of the logits that item `item` of the last run left. Fills in `sample`, whose
 * struct_size the caller has set. BAMBA_NOT_A_NUMBER as for bamba_session_get_greedy. */
BAMBA_API bamba_status bamba_session_get_sample(const bamba_session *session, size_t item, size_t row,
                                                bamba_sample *sample, bamba_error *error);

/* For measurements: takes a batch as bamba_session_run does, but in each step runs the kernels one at a time, in order,
 * once to warm up and then `repeats` times, and tells `profile` what each took, without what is done around kernels.
 * The sequences of the batch end with the right length and in no useful state: reset or free them. */
BAMBA_API bamba_status bamba_session_profile(bamba_session *session, const bamba_batch_item *items, size_t num_items,
                                             size_t item_size, uint32_t repeats, bamba_profile profile, void *user,
                                             bamba_error *error);

/* ---- sequences ---- */

/* A new, empty sequence. BAMBA_EXHAUSTED where no slot is free. */
BAMBA_API bamba_status bamba_sequence_create(bamba_session *session, bamba_sequence *sequence, bamba_error *error);

/* Gives the sequence's slot and pages back. */
BAMBA_API bamba_status bamba_sequence_free(bamba_session *session, bamba_sequence sequence, bamba_error *error);

/* A new sequence that continues where `source` stands now. */
BAMBA_API bamba_status bamba_sequence_fork(bamba_session *session, bamba_sequence source, bamba_sequence *fork,
                                           bamba_error *error);

/* Empties the sequence. */
BAMBA_API bamba_status bamba_sequence_reset(bamba_session *session, bamba_sequence sequence, bamba_error *error);

/* Tokens that the sequence holds. */
BAMBA_API bamba_status bamba_sequence_get_length(const bamba_session *session, bamba_sequence sequence,
                                                 uint32_t *length, bamba_error *error);

/* How many of the sequence's last tokens bamba_sequence_truncate can drop now. With a state ring (`bambac compile
 * --state-ring`, on a GPU the default for large states) those that were decoded one at a time since its SSM state was
 * last written: at most state_ring - 1, none right after a prompt. In a model without Mamba2 layers all; else none. */
BAMBA_API bamba_status bamba_sequence_get_rollback(const bamba_session *session, bamba_sequence sequence,
                                                   uint32_t *tokens, bamba_error *error);

/* Drops the sequence's last `tokens` tokens: it continues as if it had never seen them. BAMBA_OUT_OF_RANGE where that
 * is more than bamba_sequence_get_rollback says; the sequence is then unchanged. */
BAMBA_API bamba_status bamba_sequence_truncate(bamba_session *session, bamba_sequence sequence, uint32_t tokens,
                                               bamba_error *error);

/* Writes the sequence's state to `buffer`. `*size` is the buffer's size on entry and the state's on return; with a NULL
 * buffer only the size is returned. The bytes can be restored in any session of the same model with the same weights,
 * also of another process or of a library that was compiled again: they carry fingerprints of the configuration, of
 * what states mean to the code, and of the weights (names, types and shapes of tensors, and samples of every row). */
BAMBA_API bamba_status bamba_sequence_save(const bamba_session *session, bamba_sequence sequence, void *buffer,
                                           size_t *size, bamba_error *error);

/* Replaces the sequence's state by one that bamba_sequence_save wrote. BAMBA_BAD_STATE where the bytes are damaged or
 * of another model or other weights; the sequence is then unchanged. */
BAMBA_API bamba_status bamba_sequence_restore(bamba_session *session, bamba_sequence sequence, const void *buffer,
                                              size_t size, bamba_error *error);

/* ---- one symbol for those who dlopen ---- */

struct bamba_engine_api;

/* Every function above. Later minor versions append to the end: one that `struct_size` does not reach is not there. */
typedef struct bamba_api {
  size_t struct_size;
  uint32_t abi_version; /* BAMBA_ABI_VERSION of the library */
  uint32_t version;     /* its BAMBA_VERSION */
  const char *(*status_name)(bamba_status);
  const char *(*metadata)(void);
  bamba_status (*model_open)(const bamba_model_options *, bamba_model **, bamba_error *);
  void (*model_close)(bamba_model *);
  bamba_status (*model_load)(bamba_model *, const char *, const bamba_load_options *, bamba_error *);
  bamba_status (*model_load_random)(bamba_model *, uint64_t, bamba_error *);
  bamba_status (*model_get_info)(const bamba_model *, bamba_model_info *, bamba_error *);
  bamba_status (*session_create)(const bamba_model *, const bamba_session_options *, bamba_session **, bamba_error *);
  void (*session_destroy)(bamba_session *);
  bamba_status (*session_run)(bamba_session *, const bamba_batch_item *, size_t, size_t, bamba_error *);
  bamba_status (*session_get_logits)(const bamba_session *, size_t, const float **, size_t *, bamba_error *);
  bamba_status (*session_get_greedy)(const bamba_session *, size_t, int32_t *, bamba_error *);
  bamba_status (*sequence_create)(bamba_session *, bamba_sequence *, bamba_error *);
  bamba_status (*sequence_free)(bamba_session *, bamba_sequence, bamba_error *);
  bamba_status (*sequence_fork)(bamba_session *, bamba_sequence, bamba_sequence *, bamba_error *);
  bamba_status (*sequence_reset)(bamba_session *, bamba_sequence, bamba_error *);
  bamba_status (*sequence_get_length)(const bamba_session *, bamba_sequence, uint32_t *, bamba_error *);
  bamba_status (*sequence_save)(const bamba_session *, bamba_sequence, void *, size_t *, bamba_error *);
  bamba_status (*sequence_restore)(bamba_session *, bamba_sequence, const void *, size_t, bamba_error *);
  bamba_status (*session_profile)(bamba_session *, const bamba_batch_item *, size_t, size_t, uint32_t, bamba_profile,
                                  void *, bamba_error *);
  /* since 2.1 */
  bamba_status (*sequence_get_rollback)(const bamba_session *, bamba_sequence, uint32_t *, bamba_error *);
  bamba_status (*sequence_truncate)(bamba_session *, bamba_sequence, uint32_t, bamba_error *);
  const struct bamba_engine_api *engine; /* the functions of bamba/engine.h */
  bamba_status (*session_get_sample)(const bamba_session *, size_t, size_t, bamba_sample *, bamba_error *);
} bamba_api;

/* The table of functions, static; NULL where the library does not speak `abi_version`. */
BAMBA_API const bamba_api *bamba_get_api(uint32_t abi_version);

#ifdef __cplusplus
}
#endif
#endif /* BAMBA_BAMBA_H */
