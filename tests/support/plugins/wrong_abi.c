#include "plugin.h"

static const betatune_trainer* create(const betatune_host* host) {
  (void)host;
  return 0;
}

__attribute__((visibility("default"))) const betatune_plugin betatune_plugin_v1 = {
    sizeof(betatune_plugin), 99, 0, "wrong_abi", "1.0", create};
