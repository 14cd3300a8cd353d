#include "trainers/torch/distributed/work.hpp"

#include <utility>

#include "trainers/torch/distributed/world.hpp"

namespace betatune::distributed {

class WorkQueue::Task final : public Work {
 public:
  explicit Task(std::function<void()> operation) : operation_(std::move(operation)) {}

  void run(std::exception_ptr failed_before) {
    const auto begin = Clock::now();
    std::exception_ptr error = std::move(failed_before);
    if (!error) {
      try {
        operation_();
      } catch (...) {
        error = std::current_exception();
      }
    }
    operation_ = nullptr;  // what it holds (tensors) is freed here, not with the handle
    const std::lock_guard lock(mutex_);
    span_ = {begin, Clock::now()};
    error_ = error;
    done_ = true;
    changed_.notify_all();
  }

  void wait() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_; });
    if (error_) std::rethrow_exception(error_);
  }

  Span span() const override {
    const std::lock_guard lock(mutex_);
    return span_;
  }

  std::exception_ptr error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  std::function<void()> operation_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::exception_ptr error_;
  Span span_{};
};

std::shared_ptr<Work> WorkQueue::start(std::function<void()> operation) {
  auto task = std::make_shared<Task>(std::move(operation));
  const std::lock_guard lock(mutex_);
  tasks_.push_back(task);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
  return task;
}

bool WorkQueue::idle() const {
  const std::lock_guard lock(mutex_);
  return tasks_.empty() && !running_;
}

void WorkQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    if (stop_ && !failed_) {
      failed_ = std::make_exception_ptr(
          CommunicationError(BETATUNE_ERROR, "the communicator was destroyed before this ran"));
    }
    running_ = true;
    const auto failed = failed_;
    lock.unlock();
    task->run(failed);
    lock.lock();
    running_ = false;
    if (!failed_) failed_ = task->error();
  }
}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace betatune::distributed
