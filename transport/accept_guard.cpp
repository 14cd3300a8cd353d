#include "transport/accept_guard.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Sanitizers bring an accept4() of their own: there is nothing to guard then.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

namespace betatune {

void guard_accept() {}

}  // namespace betatune

#else

namespace betatune {
namespace {

std::atomic<int> reserve{-1};

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int kernel_accept4(int socket, sockaddr* address, socklen_t* size, int flags) {
  return static_cast<int>(::syscall(SYS_accept4, socket, address, size, flags));
}

/// Takes a connection on the reserved descriptor, and closes it.
void turn_away(int socket) {
  const int held = reserve.exchange(-1);
  if (held >= 0) ::close(held);
  const int connection = kernel_accept4(socket, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection >= 0) ::close(connection);
  reserve.store(open_reserve());
}

}  // namespace

void guard_accept() {
  if (reserve.load() >= 0) return;
  const int opened = open_reserve();
  int none = -1;
  if (!reserve.compare_exchange_strong(none, opened) && opened >= 0) ::close(opened);
}

}  // namespace betatune

extern "C" __attribute__((visibility("default"))) int accept4(int socket, sockaddr* address,
                                                              socklen_t* size, int flags) {
  const int connection = betatune::kernel_accept4(socket, address, size, flags);
  if (connection >= 0 || (errno != EMFILE && errno != ENFILE)) return connection;
  betatune::turn_away(socket);
  errno = ECONNABORTED;
  return -1;
}
#endif
