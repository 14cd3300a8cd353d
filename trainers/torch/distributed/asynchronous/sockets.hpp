#pragma once
/// The few POSIX calls that servers and workers need, with deadlines and errors in words.

#include <chrono>
#include <string>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace betatune::distributed::asynchronous {

using SteadyClock = std::chrono::steady_clock;
using Deadline = SteadyClock::time_point;

/// What went wrong with a connection; the caller knows whose it was.
class ConnectionLost : public std::exception {
 public:
  explicit ConnectionLost(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  void close();
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Addresses: "unix:///absolute/path" or "tcp://host:port" (IPv6 hosts in brackets).
/// errors plugin::Failure that names the address
struct Listener {
  Socket socket;
  std::string address;  ///< where it listens: the port that the kernel chose for port 0
};
Listener listen_at(const std::string& address);
/// Tries until the deadline, as the server may not be up yet.
/// errors ConnectionLost; plugin::Failure if the address is none
Socket connect_to(const std::string& address, Deadline deadline);
/// A connection that waits at the listener; empty if there is none.
Socket accept_from(const Socket& listener);

/// Moves all of `parts`, in order. errors ConnectionLost
void send_all(const Socket& socket, std::vector<iovec> parts, Deadline deadline);
void receive_all(const Socket& socket, std::vector<iovec> parts, Deadline deadline);

}  // namespace betatune::distributed::asynchronous
