#pragma once
/// Operations that go on while their starter does something else, and the thread that runs them.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace betatune::distributed {

/// An operation that was started. Destroying it does not wait.
class Work {
 public:
  using Clock = std::chrono::steady_clock;
  /// When it ran, for timelines; only after wait().
  struct Span {
    Clock::time_point begin, end;
  };

  virtual ~Work() = default;
  /// Returns when the result is in its tensor; on a GPU: when work that is queued from now on sees
  /// it.
  /// errors CommunicationError
  virtual void wait() = 0;
  virtual Span span() const = 0;
};

/// Runs operations one after another on a thread of its own, which starts with the first one (a
/// fork server must not have threads). After one has failed, those behind it fail with its error.
class WorkQueue {
 public:
  WorkQueue() = default;
  /// Waits for the operation that runs; those behind it are not run, and fail.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  std::shared_ptr<Work> start(std::function<void()> operation);
  bool idle() const;

 private:
  class Task;
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> tasks_;
  bool running_ = false, stop_ = false;
  std::exception_ptr failed_;
  std::thread thread_;
};

}  // namespace betatune::distributed
