#pragma once
/// Memory that the ranks of one machine share, and how they wait for each other in it. Every rank
/// has a lane with a counter of what it has done; the others sleep on it (a futex) until it is high
/// enough. So a rank that is late, and by how much, is there to be read, and costs nothing until
/// somebody waits too long. A rank that dies is noticed at once: it holds a lock on its byte of the
/// segment, which the kernel releases with the process.
///
/// The memory has no name (a memfd): nothing is left behind, however the ranks end.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "trainers/torch/distributed/world.hpp"

namespace betatune::distributed {

/// A number that one side raises and others wait for; lives in shared memory. Wraps around.
struct alignas(64) SharedCounter {
  std::atomic<std::uint32_t> value;
  std::atomic<std::uint32_t> sleepers;

  bool reached(std::uint32_t target) const {
    return static_cast<std::int32_t>(value.load(std::memory_order_acquire) - target) >= 0;
  }
  void raise_to(std::uint32_t target);
};

class SharedSegment {
 public:
  /// Rank 0 makes the segment and writes where it is into the file `path`, the others open it; the
  /// file is gone when all are there.
  ///
  /// data_bytes  shared memory wanted; starts out as zeros, takes no room until it is used
  /// errors      CommunicationError: who did not come within world.timeout; a file that is there
  ///             already; worlds of different sizes
  SharedSegment(const World& world, const std::string& path, std::size_t data_bytes);
  ~SharedSegment();
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;

  std::byte* data() const { return data_; }
  /// What rank `rank` has done, in whatever unit the user counts.
  SharedCounter& progress(int rank) const;
  /// What the rank is doing, as the user encodes it, in its even and odd calls; written before
  /// progress is raised.
  std::atomic<std::uint64_t>& doing(int rank, std::size_t parity) const;

  /// Waits until the counter, which rank `rank` raises, has reached `target`.
  ///
  /// on_timeout  the text of the error when world.timeout is over
  /// errors      CommunicationError (BETATUNE_INFRA), also when that rank has died or any has
  ///             called abort; the other ranks then fail with the same reason
  void wait(SharedCounter& counter, std::uint32_t target, int rank,
            const std::function<std::string()>& on_timeout);

  /// Makes every wait of every rank fail. The first reason stays.
  void abort(const std::string& reason, std::int32_t failure_class = BETATUNE_INFRA);
  /// abort, and throws it.
  [[noreturn]] void fail(std::int32_t failure_class, const std::string& reason);

  const World& world() const { return world_; }

 private:
  struct Header;
  struct Lane;

  void create(const std::string& path);
  void open_existing(const std::string& path);
  void map(int descriptor);
  void take_lock();
  void meet(const std::string& path);
  bool alive(int rank) const;
  void throw_if_aborted() const;
  Lane& lane(int rank) const;

  World world_;
  std::size_t data_bytes_, bytes_;
  int descriptor_ = -1;
  std::byte* memory_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace betatune::distributed
