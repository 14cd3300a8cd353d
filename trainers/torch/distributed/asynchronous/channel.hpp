#pragma once
/// How a worker reaches its servers. A Link is one server; a Channel is all of them, which to the
/// worker look like one.

#include <memory>
#include <vector>

#include "trainers/torch/distributed/asynchronous/server_core.hpp"

namespace betatune::distributed::asynchronous {

/// A request to one server. The spans stay the caller's until receive() has returned.
struct Request {
  bool push = false;  ///< else: pull
  bool weights_wanted = true;
  std::vector<std::uint64_t> bases;
  std::vector<std::span<const float>> values;
};

struct Response {
  bool accepted = true;
  std::vector<std::uint64_t> versions;
  std::vector<std::span<float>> centre;  ///< where the weights go; set by the caller
};

/// One request at a time: send, then receive. Neither waits for ever.
/// errors plugin::Failure that names the rank and the server
class Link {
 public:
  virtual ~Link() = default;
  virtual void send(const Request& request) = 0;
  virtual void receive(Response& response) = 0;
  /// The worker is done.
  virtual void leave() = 0;
};

/// Layers on servers: `owner[k]` is the server of layer k; a server has its layers in their order.
std::vector<std::size_t> shard_layers(const Sizes& sizes, std::size_t servers);
/// The layers of one server under such a plan.
Layers layers_of(const Layers& all, const std::vector<std::size_t>& owner, std::size_t server);

class Channel {
 public:
  /// `links[s]` reaches server s of `owner`.
  Channel(std::vector<std::unique_ptr<Link>> links, std::vector<std::size_t> owner);
  /// All layers as they are on the servers now.
  void pull(Layers& centre, std::vector<std::uint64_t>& versions);
  /// Pushes to all servers, which work at the same time; `centre` (null: not wanted) is the answer.
  /// returns whether all servers had a use for it
  bool push(const Layers& values, const std::vector<std::uint64_t>& bases, Layers* centre,
            std::vector<std::uint64_t>& versions);
  void leave();

 private:
  bool receive(std::size_t server, Layers* centre, std::vector<std::uint64_t>& versions);

  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::vector<std::size_t>> layers_;  ///< of each server
};

}  // namespace betatune::distributed::asynchronous
