#include "optimizer/freed_memory.hpp"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace betatune {

void keep_freed_memory() {
#if defined(M_TRIM_THRESHOLD) && defined(M_MMAP_THRESHOLD)
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
#endif
}

}  // namespace betatune
