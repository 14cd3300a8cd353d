#include "trainers/posix.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace betatune {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Error errno_error(const std::string& what) {
  return Error{ErrorKind::unavailable, what + ": " + std::strerror(errno)};
}

Result<std::pair<UniqueFd, UniqueFd>> packet_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return errno_error("socketpair");
  }
  std::pair<UniqueFd, UniqueFd> pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // One packet of the greatest length must fit beside smaller ones.
  const int bytes = 4 * static_cast<int>(kPacketBytes);
  for (const int fd : fds) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return pair;
}

Result<std::pair<UniqueFd, UniqueFd>> pipe_pair() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_error("pipe");
  return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

namespace {

union ControlBuffer {
  char bytes[CMSG_SPACE(sizeof(int))];
  cmsghdr align;
};

UniqueFd passed_descriptor(msghdr& header) {
  UniqueFd found;
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(each), sizeof fd);
    found.reset(fd);
  }
  return found;
}

}  // namespace

Status send_packet(int fd, std::string_view bytes, int passed_fd) {
  if (bytes.size() > kPacketBytes) {
    return Error{ErrorKind::invalid_argument, "a packet of " + std::to_string(bytes.size()) +
                                                  " bytes is over the limit of " +
                                                  std::to_string(kPacketBytes)};
  }
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ControlBuffer control{};
  if (passed_fd >= 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    cmsghdr* message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(sizeof passed_fd);
    std::memcpy(CMSG_DATA(message), &passed_fd, sizeof passed_fd);
  }
  while (::sendmsg(fd, &header, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno_error("send to a process of this trainer");
  }
  return Ok{};
}

Packet receive_packet(int fd, bool wait) {
  static thread_local std::vector<char> buffer(kPacketBytes);
  Packet packet;
  iovec part{buffer.data(), buffer.size()};
  ControlBuffer control{};
  for (;;) {
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    const ssize_t got = ::recvmsg(fd, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    if (got > 0) {
      packet.passed = passed_descriptor(header);
      if ((header.msg_flags & MSG_TRUNC) != 0) continue;
      packet.state = Packet::State::arrived;
      packet.bytes.assign(buffer.data(), static_cast<std::size_t>(got));
      return packet;
    }
    // ECONNRESET says, once, that the peer left without reading all that was sent to it; what it
    // had sent before is still here.
    if (got < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    const bool empty = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    packet.state = empty ? Packet::State::none_now : Packet::State::closed;
    return packet;
  }
}

Status set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return errno_error("fcntl");
  return Ok{};
}

std::chrono::milliseconds monotonic_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace betatune
