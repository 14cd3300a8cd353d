#include <unistd.h>

namespace {

struct Hang {
  Hang() {
    for (;;) ::pause();
  }
} hang;

}  // namespace

__attribute__((visibility("default"))) const void* hang_address() {
  return &hang;
}
