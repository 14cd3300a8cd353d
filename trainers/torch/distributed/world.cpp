#include "trainers/torch/distributed/world.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "trainers/torch/engine/world.hpp"

namespace betatune::distributed {
namespace {

constexpr std::array<std::pair<Backend, const char*>, 4> kBackendNames{
    {{Backend::automatic, "automatic"},
     {Backend::shared_memory, "shared_memory"},
     {Backend::gloo, "gloo"},
     {Backend::nccl, "nccl"}}};

[[noreturn]] void refuse(const std::string& text) {
  throw CommunicationError(BETATUNE_ERROR, text);
}

}  // namespace

Rendezvous parse_rendezvous(const std::string& text) {
  constexpr std::string_view kFile = "file://", kTcp = "tcp://";
  const std::string expected =
      ", expected \"file:///absolute/path\" or \"tcp://host:port\" with a port of 1 to 65535";
  if (text.starts_with(kFile) && text.size() > kFile.size() && text[kFile.size()] == '/') {
    return {Rendezvous::Kind::file, text.substr(kFile.size()), "", 0};
  }
  if (text.starts_with(kTcp)) {
    const auto colon = text.rfind(':');
    const std::string host = text.substr(kTcp.size(), colon - std::min(colon, kTcp.size()));
    std::uint16_t port = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, port);
    if (colon > kTcp.size() && !host.empty() && read.ec == std::errc{} && read.ptr == end &&
        port > 0) {
      return {Rendezvous::Kind::tcp, "", host, port};
    }
  }
  refuse("the rendezvous is \"" + text + '"' + expected);
}

std::string local_address(const World& world, const std::string& name) {
  constexpr std::size_t kLongest = 100;  // sun_path holds 107 characters
  if (world.size > 1) {
    const Rendezvous at = parse_rendezvous(world.rendezvous);
    const std::string path = at.path + '.' + name;
    if (at.kind == Rendezvous::Kind::file && path.size() <= kLongest) return "unix://" + path;
  }
  return "tcp://127.0.0.1:0";
}

void check_world(const World& world) {
  if (world.size < 1) {
    refuse("the world has " + std::to_string(world.size) + " ranks; at least 1 is needed");
  }
  if (world.rank < 0 || world.rank >= world.size) {
    refuse("rank " + std::to_string(world.rank) + " of a world of " + std::to_string(world.size) +
           " ranks; ranks are 0 to size - 1");
  }
  if (world.timeout <= std::chrono::milliseconds::zero()) {
    refuse("the timeout is " + std::to_string(world.timeout.count()) + " ms; it must be positive");
  }
  if (world.size > 1) (void)parse_rendezvous(world.rendezvous);
}

Backend backend_named(const std::string& name) {
  std::string known;
  for (const auto& [backend, text] : kBackendNames) {
    if (name == text) return backend;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  refuse("there is no backend \"" + name + "\"; there are " + known);
}

std::string name_of(Backend backend) {
  const auto* found = std::find_if(kBackendNames.begin(), kBackendNames.end(),
                                   [&](const auto& entry) { return entry.first == backend; });
  return found->second;
}

void check_batch(std::int64_t global_batch, int ranks) {
  if (global_batch >= ranks) return;
  refuse("a batch of " + std::to_string(global_batch) + " samples cannot be split over " +
         std::to_string(ranks) + " ranks; raise `batch_size` to at least " + std::to_string(ranks) +
         " or take fewer ranks");
}

Slice slice_of(std::int64_t global_batch, int rank, int size) {
  const engine::Range part = engine::part_of(global_batch, {rank, size});
  return {part.begin, part.end};
}

}  // namespace betatune::distributed
