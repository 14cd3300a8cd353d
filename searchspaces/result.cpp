#include "searchspaces/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace betatune {

void assertion_failed(const char* expression, const char* file, int line,
                      const std::string& message) {
  std::fprintf(stderr, "betatune: bug: assertion `%s` failed at %s:%d%s%s\n", expression, file,
               line, message.empty() ? "" : ": ", message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace betatune
