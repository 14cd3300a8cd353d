#include "trainers/torch/distributed/asynchronous/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {
namespace {

[[noreturn]] void bad_address(const std::string& address, const std::string& problem) {
  throw plugin::Failure(BETATUNE_ERROR, "parameter server: address `" + address + "` " + problem);
}

struct Endpoint {
  int family = AF_UNSPEC;
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Endpoint unix_endpoint(const std::string& address, const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path[0] != '/' || path.size() >= sizeof un.sun_path) {
    bad_address(address, "must have an absolute path of at most " +
                             std::to_string(sizeof un.sun_path - 1) + " bytes");
  }
  std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
  Endpoint endpoint{AF_UNIX, {}, sizeof un};
  std::memcpy(&endpoint.storage, &un, sizeof un);
  return endpoint;
}

Endpoint tcp_endpoint(const std::string& address, const std::string& rest, bool passive) {
  const auto colon = rest.rfind(':');
  if (colon == std::string::npos || colon == 0) bad_address(address, "must be tcp://host:port");
  std::string host = rest.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = passive ? AI_PASSIVE : 0;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), rest.c_str() + colon + 1, &hints, &found);
  if (error != 0) bad_address(address, std::string("cannot be resolved: ") + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard(found, &freeaddrinfo);
  Endpoint endpoint{found->ai_family, {}, found->ai_addrlen};
  std::memcpy(&endpoint.storage, found->ai_addr, found->ai_addrlen);
  return endpoint;
}

Endpoint resolve(const std::string& address, bool passive) {
  if (address.starts_with("unix://")) return unix_endpoint(address, address.substr(7));
  if (address.starts_with("tcp://")) return tcp_endpoint(address, address.substr(6), passive);
  bad_address(address, "must be unix:///path or tcp://host:port");
}

Socket open_socket(int family) {
  Socket socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw ConnectionLost(std::string("no socket: ") + std::strerror(errno));
  return socket;
}

void send_at_once(const Socket& socket) {
  const int on = 1;  // has no meaning for, and no effect on, Unix sockets
  ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int milliseconds_until(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

void wait_for(const Socket& socket, short events, Deadline deadline) {
  while (true) {
    pollfd wanted{socket.fd(), events, 0};
    const int ready = ::poll(&wanted, 1, milliseconds_until(deadline));
    if (ready > 0) return;
    if (ready == 0) throw ConnectionLost("no answer in time");
    if (errno != EINTR) throw ConnectionLost(std::string("poll: ") + std::strerror(errno));
  }
}

std::string bound_address(const Socket& socket, const std::string& wanted) {
  if (!wanted.starts_with("tcp://")) return wanted;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&storage), &length);
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  const int port = ntohs(storage.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
  return wanted.substr(0, wanted.rfind(':') + 1) + std::to_string(port);
}

bool try_connect(const Socket& socket, const Endpoint& endpoint, Deadline deadline) {
  if (::connect(socket.fd(), endpoint.get(), endpoint.length) == 0) return true;
  if (errno != EINPROGRESS) return false;
  wait_for(socket, POLLOUT, deadline);
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  errno = error;
  return error == 0;
}

/// Takes `done` bytes off the front.
void advance(std::vector<iovec>& parts, std::size_t& first, std::size_t done) {
  while (first < parts.size() && done >= parts[first].iov_len) done -= parts[first++].iov_len;
  if (first < parts.size()) {
    parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + done;
    parts[first].iov_len -= done;
  }
}

template <class Call>
void move_all(const Socket& socket, std::vector<iovec>& parts, short events, Deadline deadline,
              Call call) {
  std::size_t first = 0;
  advance(parts, first, 0);
  while (first < parts.size()) {
    msghdr message{};
    message.msg_iov = parts.data() + first;
    message.msg_iovlen = std::min<std::size_t>(parts.size() - first, 512);
    const auto done = call(message);
    if (done == 0) throw ConnectionLost("the other side has closed it");
    if (done > 0) {
      advance(parts, first, static_cast<std::size_t>(done));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_for(socket, events, deadline);
    } else if (errno != EINTR) {
      throw ConnectionLost(std::strerror(errno));
    }
  }
}

}  // namespace

void Socket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Listener listen_at(const std::string& address) {
  const Endpoint endpoint = resolve(address, true);
  Listener listener{open_socket(endpoint.family), ""};
  const int on = 1;
  ::setsockopt(listener.socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // A file that a killed server has left; one in use is kept by its journal's lock, or by its user.
  if (endpoint.family == AF_UNIX) ::unlink(address.c_str() + 7);
  if (::bind(listener.socket.fd(), endpoint.get(), endpoint.length) != 0 ||
      ::listen(listener.socket.fd(), 1'024) != 0) {
    throw plugin::Failure(BETATUNE_INFRA, "parameter server: cannot listen at " + address + ": " +
                                              std::strerror(errno));
  }
  listener.address = bound_address(listener.socket, address);
  return listener;
}

Socket connect_to(const std::string& address, Deadline deadline) {
  const Endpoint endpoint = resolve(address, false);
  for (auto pause = std::chrono::milliseconds(2);;
       pause = std::min(2 * pause, std::chrono::milliseconds(200))) {
    Socket socket = open_socket(endpoint.family);
    if (try_connect(socket, endpoint, deadline)) {
      send_at_once(socket);
      return socket;
    }
    const std::string problem = std::strerror(errno);
    if (SteadyClock::now() + pause >= deadline) throw ConnectionLost(problem);
    std::this_thread::sleep_for(pause);
  }
}

Socket accept_from(const Socket& listener) {
  Socket socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket) send_at_once(socket);
  return socket;
}

void send_all(const Socket& socket, std::vector<iovec> parts, Deadline deadline) {
  move_all(socket, parts, POLLOUT, deadline,
           [&](const msghdr& message) { return ::sendmsg(socket.fd(), &message, MSG_NOSIGNAL); });
}

void receive_all(const Socket& socket, std::vector<iovec> parts, Deadline deadline) {
  move_all(socket, parts, POLLIN, deadline,
           [&](msghdr& message) { return ::recvmsg(socket.fd(), &message, 0); });
}

}  // namespace betatune::distributed::asynchronous
