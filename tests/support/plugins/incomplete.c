#include "plugin.h"

static const betatune_trainer* create(const betatune_host* host) {
  static betatune_trainer trainer;
  (void)host;
  trainer.size = sizeof trainer;
  return &trainer;
}

__attribute__((visibility("default"))) const betatune_plugin betatune_plugin_v1 = {
    sizeof(betatune_plugin), BETATUNE_ABI_MAJOR, BETATUNE_ABI_MINOR, "incomplete", "1.0", create};
