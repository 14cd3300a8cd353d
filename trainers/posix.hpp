#pragma once
/// Owned descriptors, and packets over Unix sockets (whole messages, with a descriptor passed
/// along).

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "searchspaces/result.hpp"

namespace betatune {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// "open /x: No space left on device"; kind is unavailable.
Error errno_error(const std::string& what);

/// Longest packet that is sent or taken.
inline constexpr std::size_t kPacketBytes = 192u << 10;

/// Both ends of a SOCK_SEQPACKET pair, close-on-exec. A packet arrives whole or not at all.
Result<std::pair<UniqueFd, UniqueFd>> packet_pair();
/// A pipe {read, write}, close-on-exec.
Result<std::pair<UniqueFd, UniqueFd>> pipe_pair();

/// Blocks while the peer's buffer is full. Errors: unavailable (peer gone), invalid_argument (too
/// long).
Status send_packet(int fd, std::string_view bytes, int passed_fd = -1);

struct Packet {
  enum class State { arrived, none_now, closed };
  State state = State::none_now;
  std::string bytes;
  UniqueFd passed;
};
/// Never throws; an error of the socket reads as `closed`.
Packet receive_packet(int fd, bool wait);

Status set_nonblocking(int fd);

/// Monotonic time since an arbitrary point, for durations.
std::chrono::milliseconds monotonic_ms();

}  // namespace betatune
