#pragma once
/// The files of a simulated trainer that does not see the study's folder: gives its checkpoints by
/// PUT and gets those that its attempts go on from by GET, as docs/protocol.md has it. A part is
/// small, so that a checkpoint has several.

#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "optimizer/simulation/files.hpp"
#include "transport/message.hpp"

namespace betatune::simulation {

/// Bytes of a file in one message.
inline constexpr std::uint64_t kPartBytes = 700;

class SimCourier {
 public:
  using Key = std::pair<TrialId, AttemptId>;
  struct Outside {
    std::function<void(Message)> say;
    std::function<void(const Key&, const ArtifactRef&)> arrived;
    /// Nothing if it is missing, or has arrived damaged twice.
    std::function<void(const Key&, std::optional<Contents>)> fetched;
  };

  /// `trusts`: a bug, for a mutation: what arrives is not compared with its digests.
  SimCourier(Outside outside, bool trusts) : outside_(std::move(outside)), trusts_(trusts) {}

  void send(const Key& key, const ArtifactRef& artifact, const Contents& contents);
  void fetch(const Key& key, const ArtifactRef& artifact);
  void drop(const Key& key);
  void clear();
  /// A new session: the optimizer may have lost what has arrived.
  void welcome();
  /// Asks again for what was not answered since the last one.
  void beat();
  void on(const FileStored& stored);
  void on(const FileData& data);

 private:
  struct Parcel {
    Key key;
    ArtifactRef artifact;
    std::vector<std::pair<std::string, std::string>> files;
  };
  /// The file being sent.
  struct Sent {
    std::size_t file = 0;
    bool asked = false, known = false;
    std::uint64_t there = 0, sent = 0;
  };
  struct Order {
    Key key;
    ArtifactRef artifact;
  };
  /// The file being fetched.
  struct Fetched {
    std::vector<std::string> paths;
    std::size_t file = 0;
    std::uint64_t asked = 0;
    std::optional<std::uint64_t> size;
    std::string bytes;
    Contents done;
  };

  void put();
  void get();
  void begin_fetch();
  void file_fetched();
  void spoilt();
  void over(std::optional<Contents> contents);

  Outside outside_;
  bool trusts_;
  std::deque<Parcel> parcels_;
  std::deque<Order> orders_;
  Sent sent_;
  Fetched fetched_;
  bool put_moved_ = false, get_moved_ = false;
  int spoilt_ = 0;
};

}  // namespace betatune::simulation
