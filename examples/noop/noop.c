/* The least trainer, in C99: one report per step and nothing else. It measures what Betatune itself
 * costs, and shows the interface without its C++ face. */
#include <stdlib.h>

#include "plugin.h"

struct noop {
  betatune_trainer face;
  const betatune_host* host;
  int64_t step;
};

static int32_t setup(void* self, const betatune_job* job) {
  (void)self;
  (void)job;
  return BETATUNE_OK;
}

static int32_t train(void* self, int64_t until_step) {
  struct noop* noop = self;
  while (noop->step < until_step) {
    ++noop->step;
    if (noop->host->report(noop->host->ctx, noop->step, "{\"loss\": 0}") != BETATUNE_CONTINUE)
      break;
  }
  return BETATUNE_OK;
}

static const char* last_error(void* self) {
  (void)self;
  return "";
}

static void destroy(void* self) {
  free(self);
}

static const betatune_trainer* create(const betatune_host* host) {
  struct noop* noop = calloc(1, sizeof *noop);
  if (noop == NULL) return NULL;
  noop->face.size = sizeof noop->face;
  noop->face.self = noop;
  noop->face.setup = setup;
  noop->face.train = train;
  noop->face.last_error = last_error;
  noop->face.destroy = destroy;
  noop->host = host;
  return &noop->face;
}

__attribute__((visibility("default"))) const betatune_plugin betatune_plugin_v1 = {
    sizeof(betatune_plugin), BETATUNE_ABI_MAJOR, BETATUNE_ABI_MINOR, "noop", "1.0", create};
