/* Generates tokens with a compiled model that is opened at run time: this program is linked to no model, includes only
 * bamba.h, and can open any number of different models side by side.
 *
 *   generate_c MODEL.so WEIGHTS COUNT TOKEN...
 */
#include <bamba/bamba.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* What is open, so that one function can close it after success and failure alike. NULL is allowed everywhere. */
struct state {
  void *library;
  const bamba_api *api;
  bamba_model *model;
  bamba_session *session;
  int32_t *prompt;
};

static int close_all(struct state *state, int exit_code) {
  if (state->api) {
    state->api->session_destroy(state->session); /* sessions before their model, */
    state->api->model_close(state->model);       /* the model before its library */
  }
  free(state->prompt);
  if (state->library)
    dlclose(state->library);
  return exit_code;
}

/* Opens the library and fetches its table of functions, through the only symbol that has to be looked up. */
static int open_library(struct state *state, const char *path) {
  const bamba_api *(*get_api)(uint32_t) = NULL;
  state->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!state->library) {
    fprintf(stderr, "%s\n", dlerror());
    return 0;
  }
  *(void **)&get_api = dlsym(state->library, "bamba_get_api");
  state->api = get_api ? get_api(BAMBA_ABI_VERSION) : NULL;
  if (!state->api)
    fprintf(stderr, "%s: not a model compiled by bambac, or of another version\n", path);
  return state->api != NULL;
}

/* Prints `count` tokens, each the most likely after the prompt and those before it. */
static bamba_status generate(struct state *state, size_t prompt_length, int count, bamba_error *error) {
  const bamba_api *api = state->api;
  bamba_batch_item item = {.num_tokens = (uint32_t)prompt_length, .tokens = state->prompt};
  bamba_status status = api->sequence_create(state->session, &item.sequence, error);
  for (int i = 0; status == BAMBA_OK && i < count; ++i) {
    int32_t token = 0;
    status = api->session_run(state->session, &item, 1, sizeof item, error);
    if (status == BAMBA_OK)
      status = api->session_get_greedy(state->session, 0, &token, error);
    if (status != BAMBA_OK)
      break;
    printf("%s%d", i ? " " : "", (int)token);
    fflush(stdout);
    /* From now on the sequence holds the prompt, and each step appends one token. */
    state->prompt[0] = token;
    item.num_tokens = 1;
  }
  if (status == BAMBA_OK)
    printf("\n");
  return status;
}

int main(int argc, char **argv) {
  struct state state = {0};
  bamba_error error = {.struct_size = sizeof error};
  if (argc < 5) {
    fprintf(stderr, "usage: %s MODEL.so WEIGHTS COUNT TOKEN...\n", argv[0]);
    return 1;
  }
  if (!open_library(&state, argv[1]))
    return close_all(&state, 1);

  size_t prompt_length = (size_t)argc - 4;
  state.prompt = malloc(prompt_length * sizeof *state.prompt);
  if (!state.prompt)
    return close_all(&state, 1);
  for (size_t i = 0; i < prompt_length; ++i)
    state.prompt[i] = (int32_t)strtol(argv[4 + i], NULL, 10);

  /* One sequence at a time is all that this program needs, so its session has one slot. */
  bamba_session_options options = {.struct_size = sizeof options, .slots = 1};
  bamba_status status = state.api->model_open(NULL, &state.model, &error);
  if (status == BAMBA_OK)
    status = state.api->model_load(state.model, argv[2], NULL, &error);
  if (status == BAMBA_OK)
    status = state.api->session_create(state.model, &options, &state.session, &error);
  if (status == BAMBA_OK)
    status = generate(&state, prompt_length, atoi(argv[3]), &error);
  if (status != BAMBA_OK)
    fprintf(stderr, "%s: %s\n", state.api->status_name(status), error.message);
  return close_all(&state, status == BAMBA_OK ? 0 : 1);
}
