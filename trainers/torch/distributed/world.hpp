#pragma once
/// Who takes part in a gang: the ranks of one trial, a process each. No libtorch here.

#include <chrono>
#include <cstdint>
#include <string>

#include "trainers/trainer.hpp"

namespace betatune::distributed {

/// How ranks talk. `automatic`: nothing for one rank, shared_memory for "file://" (all ranks are on
/// one machine), gloo for "tcp://"; nccl where World::on_gpu.
enum class Backend { automatic, shared_memory, gloo, nccl };

struct World {
  int rank = 0;        ///< 0 .. size-1
  int size = 1;        ///< ranks of the gang
  int local_rank = 0;  ///< among the ranks of this machine; names the GPU
  /// "file:///absolute/path" (a file that does not exist yet) or "tcp://host:port" (rank 0 listens
  /// there); not read for one rank.
  std::string rendezvous;
  /// The longest that one blocking operation waits for the other ranks.
  std::chrono::milliseconds timeout{std::chrono::minutes(10)};
  bool on_gpu = false;  ///< what is exchanged lies on the GPU of local_rank
};

/// The ranks did not come together: one is dead, stopped or late (BETATUNE_INFRA: try again), or
/// they did different things (BETATUNE_ERROR: a bug or a wrong setting). The text names the ranks.
class CommunicationError : public plugin::Failure {
 public:
  using plugin::Failure::Failure;
};

/// Where the ranks meet, of World::rendezvous.
struct Rendezvous {
  enum class Kind { file, tcp } kind = Kind::file;
  std::string path;        ///< file
  std::string host;        ///< tcp
  std::uint16_t port = 0;  ///< tcp
};

/// errors CommunicationError (BETATUNE_ERROR) that says what is expected
Rendezvous parse_rendezvous(const std::string& text);

/// An address, as of asynchronous/sockets.hpp, where this rank can listen for others of its
/// machine: beside the ranks' meeting place, where only this user can connect, unless the path is
/// too long for a Unix socket.
std::string local_address(const World& world, const std::string& name);

/// errors CommunicationError unless 0 <= rank < size, size >= 1, timeout > 0, and more than one
/// rank has a rendezvous
void check_world(const World& world);

/// "automatic", "shared_memory", "gloo", "nccl", and back.
/// errors CommunicationError that lists the names
Backend backend_named(const std::string& name);
std::string name_of(Backend backend);

/// errors CommunicationError if a batch is too small to give every rank a sample
void check_batch(std::int64_t global_batch, int ranks);

/// The samples of a global batch that one rank computes: [begin, end), the first `global % size`
/// ranks have one more. Every sample is in exactly one rank's slice.
struct Slice {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
};
Slice slice_of(std::int64_t global_batch, int rank, int size);

}  // namespace betatune::distributed
