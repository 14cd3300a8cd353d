#pragma once
/// Threads for model fits. Work is a closure over immutable snapshots; its result goes back by
/// whatever the closure posts. The only mutex of the optimizer (besides the logger's) is here.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace betatune {

class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  /// Drops work that has not begun and waits for what has.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `work` on some thread, first come first served. It must not throw.
  void submit(std::function<void()> work);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace betatune
