#pragma once
/// One side of a conversation, in order: wait for a message, send one. Everything is written down.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/tck/process.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune::tck {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

/// A message as it came; `message` or why it cannot be read.
struct Heard {
  PeerId from;
  Frames frames;
  Result<Message> message = Error{ErrorKind::invalid_argument, "nothing"};
};

class Wire {
 public:
  /// `ours` and `theirs`: how the transcript names the sides, "O" and "T".
  Wire(ZmqSocket::Role role, char ours, char theirs, std::vector<std::string>& transcript);

  Status bind(const std::string& endpoint, const std::optional<KeyPair>& keys);
  Status connect(const std::string& endpoint, const std::optional<TrainerKey>& key);
  /// The next message before `until`.
  std::optional<Heard> next(Clock::time_point until);
  void send(const PeerId& to, const Message& message);
  void send_frames(const PeerId& to, const Frames& frames);

 private:
  void note(char side, const Frames& frames);

  ZmqContext context_;
  asio::io_context loop_;  ///< never run: the sockets are looked at by hand
  std::unique_ptr<ZmqSocket> socket_;
  char ours_, theirs_;
  std::vector<std::string>& transcript_;
};

/// The next message before `until`, or before a process that has exited can have sent one.
std::optional<Heard> next_while_alive(Wire& wire, Process& process, Clock::time_point until);
/// "; it has exited, and said: ...", if it has. Its output is in the file `output` of the folder.
std::string last_words(Process& process, const std::filesystem::path& folder);

/// The frames of a message whose body was changed: cases send what no implementation should.
Frames edited(const Message& message, const std::function<void(Json&)>& edit);
/// The frames of a message with this text as its body.
Frames with_body(const Message& message, std::string body);

}  // namespace betatune::tck
