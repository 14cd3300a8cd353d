#include "optimizer/version.hpp"

namespace betatune {

const char* build_version() {
  return BETATUNE_VERSION;
}

}  // namespace betatune
