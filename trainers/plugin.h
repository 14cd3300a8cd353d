#ifndef BETATUNE_TRAINERS_PLUGIN_H
#define BETATUNE_TRAINERS_PLUGIN_H
/*
 * The trainer plug-in interface, C99. A plug-in is a shared library that exports one data symbol,
 * `betatune_plugin_v1`. C++ authors use trainer.hpp, which fills everything in here.
 *
 * Conventions
 *  1. Each attempt of a trial runs in a process of its own; the plug-in may use any number of
 *     threads, but calls every host function from the thread that called into it.
 *  2. Strings are UTF-8, zero-terminated, and belong to their maker; a callee copies what it keeps.
 *  3. Functions that can fail return 0 for success; then last_error says why in words.
 *  4. Every struct begins with its size, so that later versions may append members. Read no member
 *     beyond the size given.
 *  5. No exception and no longjmp crosses this boundary.
 *  6. Where a trial has several ranks, each has its own process and trainer, and all get the same
 *     calls with the same arguments. report() is called by all of them at the same steps: the
 *     metrics of rank 0 count, and all get the same answer. save() gets one folder for all ranks:
 *     rank 0 writes what is common, others may add files of their own. A rank that dies, fails, or
 *     keeps the others waiting too long ends all of them (but see rank_groups.h). How the ranks
 *     exchange gradients is theirs; job.rendezvous says where they can meet.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BETATUNE_ABI_MAJOR 1u
#define BETATUNE_ABI_MINOR 1u

/* What report() answers. */
enum { BETATUNE_CONTINUE = 0, BETATUNE_STOP = 1, BETATUNE_PAUSE = 2 };
/* Failure classes, returned by setup, train, save and load. */
enum {
  BETATUNE_OK = 0,
  BETATUNE_ERROR = 1,     /* the trainer's own error: not retried by default */
  BETATUNE_OOM = 2,       /* out of memory with this configuration */
  BETATUNE_DIVERGED = 3,  /* the training diverged */
  BETATUNE_INFRA = 4,     /* the machine's fault: tried again elsewhere */
  BETATUNE_CHECKPOINT = 5 /* load: not to be used; the trial falls back to the one before */
};

typedef struct betatune_host {
  uint32_t size;
  void* ctx;
  /* Publishes the metrics of a training step (1, 2, ...): a JSON object of numbers, for instance
   * {"val_loss": 0.31, "seconds_per_epoch": 4.2}. NaN and Infinity may be written as strings.
   * Returns BETATUNE_CONTINUE, or BETATUNE_STOP / BETATUNE_PAUSE: return from train() soon. */
  int32_t (*report)(void* ctx, int64_t step, const char* metrics_json);
  /* level: 0 debug, 1 info, 2 warning, 3 error. */
  void (*log)(void* ctx, int32_t level, const char* text);
  /* A later interface by name, or NULL. */
  const void* (*extension)(void* ctx, const char* id);
} betatune_host;

typedef struct betatune_job {
  uint32_t size;
  const char* params_json; /* the configuration: {"lr": 0.001, "optimizer": "adamw"} */
  const char* config_json; /* the study's trainer.config, as it is */
  uint64_t seed;           /* the same for every attempt of the trial */
  /* A trial may be trained by several processes, its ranks 0 .. world_size-1; see convention 6. */
  int32_t rank, local_rank, world_size;
  int32_t cpus, gpus;      /* what this rank may use; the GPUs are the visible ones */
  const char* rendezvous;  /* where the ranks meet, new for each attempt: "" for one rank,
                            * "file:///path" (no such file yet) on one machine, "tcp://host:port" */
  const char* scratch_dir; /* empty folder of this attempt, removed after it; one for all ranks */
  /* Since 1.1: how long a rank may keep the others waiting; > 0. */
  int64_t rank_timeout_ms;
} betatune_job;

typedef struct betatune_trainer {
  uint32_t size;
  void* self;
  /* Called once, first. Builds the model and opens the data. */
  int32_t (*setup)(void* self, const betatune_job* job);
  /* Trains until step `until_step` is done (or report() says otherwise) and returns. Called with
   * growing values; each call goes on where the one before ended. */
  int32_t (*train)(void* self, int64_t until_step);
  /* Writes everything needed to go on into the existing, empty folder `dir`. NULL: cannot. */
  int32_t (*save)(void* self, const char* dir);
  /* Restores what save() wrote, after setup() and before train(). NULL: cannot. */
  int32_t (*load)(void* self, const char* dir);
  /* Text of the last error; valid until the next call. */
  const char* (*last_error)(void* self);
  void (*destroy)(void* self);
} betatune_trainer;

typedef struct betatune_plugin {
  uint32_t size, abi_major, abi_minor;
  const char* name;
  const char* version;
  /* A new trainer that uses `host`, which outlives it; NULL if it cannot be made. */
  const betatune_trainer* (*create)(const betatune_host* host);
} betatune_plugin;

#define BETATUNE_PLUGIN_SYMBOL "betatune_plugin_v1"

#ifdef __cplusplus
}
#endif
#endif
