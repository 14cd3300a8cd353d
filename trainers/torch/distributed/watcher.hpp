#pragma once
/// For backends that do not say who is missing (Gloo, NCCL): the ranks' common store, and a thread
/// per rank that looks into it twice a second. A rank that is stuck asks there where everybody is;
/// those that live answer. Needs libtorch.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "trainers/torch/distributed/world.hpp"

namespace betatune::distributed {

/// Its parts outlive it where a store (of a process that is stopped) holds a thread for long.
class Watcher {
 public:
  /// Opens the store at world.rendezvous, waits for all ranks, and starts to watch.
  /// errors CommunicationError that names the ranks that did not come within world.timeout
  explicit Watcher(const World& world);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  c10::intrusive_ptr<c10d::Store> store() const { return shared_->store; }

  /// To be called at each collective operation; returns its number, from 1.
  std::uint64_t count() { return shared_->started.fetch_add(1) + 1; }

  /// An operation failed or took too long: throws a CommunicationError that names the ranks that do
  /// not answer, and those that are behind.
  ///
  /// operation  in words; `number` is count()'s
  /// error      what the backend says
  [[noreturn]] void explain(const std::string& operation, std::uint64_t number,
                            const std::string& error);

  /// Another rank's reason to give up; empty while there is none.
  std::string aborted() const;
  void abort(const std::string& reason);

  /// Guards what users wait for together with an abort, which notifies `changed`.
  std::mutex& mutex() const { return shared_->mutex; }
  std::condition_variable& changed() const { return shared_->changed; }

 private:
  struct Shared {
    World world;
    c10::intrusive_ptr<c10d::Store> store;
    std::atomic<std::uint64_t> started{0};
    mutable std::mutex mutex;
    std::condition_variable changed;
    bool stop = false, watching = true;
    std::string aborted;

    void answer();
    void watch();
    std::string where_is_everybody();
  };

  void arrive();

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
};

/// Without the backtrace that libtorch's errors carry.
std::string first_line(const std::string& text);

}  // namespace betatune::distributed
