#include "trainers/command/reserved_port.hpp"

#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <tuple>

namespace betatune {
namespace {

/// On all addresses of one family. Errors: unavailable.
Result<std::pair<UniqueFd, int>> bind_any(int family) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno_error("make a socket for the ranks to meet at");
  const int yes = 1;
  const int no = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // Of both families at once, as PyTorch's store listens.
  if (family == AF_INET6) {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  }
  sockaddr_storage address{};  // port 0 of any address
  address.ss_family = static_cast<sa_family_t>(family);
  socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  auto* const place = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), place, size) != 0 || ::getsockname(socket.get(), place, &size) != 0) {
    return errno_error("find a port for the ranks to meet at");
  }
  in_port_t port = 0;  // at the same place in both families
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  const auto* const bytes = reinterpret_cast<const char*>(&address);
  std::memcpy(&port, bytes + offsetof(sockaddr_in, sin_port), sizeof port);
  return std::pair{std::move(socket), static_cast<int>(ntohs(port))};
}

}  // namespace

Result<ReservedPort> ReservedPort::reserve() {
  auto bound = bind_any(AF_INET6);
  // A kernel without IPv6 has the other family alone.
  if (!bound) bound = bind_any(AF_INET);
  if (!bound) return bound.error();
  ReservedPort port;
  std::tie(port.socket_, port.number_) = std::move(bound).value();
  return port;
}

}  // namespace betatune
