/// The Communicator over Gloo (TCP), through libtorch's ProcessGroupGloo. Gloo itself ends in time,
/// but says "timed out" or "connection closed" and little else: a Watcher finds out who is missing.

#include <ATen/ATen.h>
#include <csignal>
#include <cstdlib>
#include <gloo/algorithm.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>

#include "trainers/torch/distributed/backends.hpp"
#include "trainers/torch/distributed/watcher.hpp"

namespace betatune::distributed {

const bool kHasGloo = true;

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLook{100};  ///< between two looks at whether another rank gave up

class GlooWork final : public Work {
 public:
  GlooWork(std::shared_ptr<Watcher> watcher, c10::intrusive_ptr<c10d::Work> work,
           std::string operation, std::uint64_t number, std::function<void()> finish)
      : watcher_(std::move(watcher)),
        work_(std::move(work)),
        operation_(std::move(operation)),
        number_(number),
        finish_(std::move(finish)),
        done_(std::make_shared<Done>()) {
    work_->getFuture()->addCallback([done = done_, watcher = watcher_](auto&) {
      const std::lock_guard lock(watcher->mutex());
      done->end = Clock::now();
      done->yes = true;
      watcher->changed().notify_all();
    });
  }

  void wait() override {
    bool done = false;
    while (!done) {
      std::unique_lock lock(watcher_->mutex());
      watcher_->changed().wait_for(lock, kLook, [&] { return done_->yes; });
      done = done_->yes;
      lock.unlock();
      if (done) break;
      const std::string reason = watcher_->aborted();
      if (!reason.empty()) throw CommunicationError(BETATUNE_INFRA, reason);
    }
    try {
      work_->wait();
    } catch (const std::exception& e) {
      watcher_->explain(operation_, number_, e.what());
    }
    if (finish_) std::exchange(finish_, nullptr)();
  }
  Span span() const override { return {begin_, done_->end}; }

 private:
  struct Done {
    bool yes = false;
    Clock::time_point end;
  };
  std::shared_ptr<Watcher> watcher_;
  c10::intrusive_ptr<c10d::Work> work_;
  std::string operation_;
  std::uint64_t number_;
  std::function<void()> finish_;
  Clock::time_point begin_ = Clock::now();
  std::shared_ptr<Done> done_;
};

c10d::ReduceOp operator_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::maximum:
      return c10d::ReduceOp::MAX;
    case Reduction::minimum:
      return c10d::ReduceOp::MIN;
    case Reduction::sum:
    case Reduction::average:
      break;
  }
  return c10d::ReduceOp::SUM;
}

std::shared_ptr<::gloo::transport::Device> device_for(const World& world) {
  using Group = c10d::ProcessGroupGloo;
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME")) {
    return Group::createDeviceForInterface(interface);
  }
  const auto at = parse_rendezvous(world.rendezvous);
  const bool here =
      at.kind == Rendezvous::Kind::file || at.host == "localhost" || at.host.starts_with("127.");
  return here ? Group::createDeviceForHostname("127.0.0.1") : Group::createDefaultDevice();
}

class Gloo final : public Communicator {
 public:
  explicit Gloo(const World& world)
      : Communicator(world), watcher_(std::make_shared<Watcher>(world)) {
    connect();
  }

  std::string name() const override { return "gloo"; }

  Handle start_all_reduce(at::Tensor tensor, Reduction reduction) override {
    check_tensor("all_reduce", tensor, at::kCPU);
    check_reduction(tensor, reduction);
    const bool average = reduction == Reduction::average;
    // Gloo of libtorch 1.13 has no bfloat16.
    const bool widen = tensor.scalar_type() == at::kBFloat16;
    const auto sums = flat(widen ? tensor.to(at::kFloat) : tensor);
    std::function<void()> finish;
    if (widen || average) {
      finish = [tensor, sums, widen, average, ranks = size()] {
        if (average) sums.div_(ranks);
        if (widen) flat(tensor).copy_(sums);
      };
    }
    std::vector<at::Tensor> tensors{sums};
    c10d::AllreduceOptions options;
    options.reduceOp = operator_of(reduction);
    return started(
        "all_reduce", tensor, [&] { return group_->allreduce(tensors, options); },
        std::move(finish));
  }
  Handle start_broadcast(at::Tensor tensor, int root) override {
    check_tensor("broadcast", tensor, at::kCPU);
    check_rank("broadcast", world(), root, true);
    std::vector<at::Tensor> tensors{as_bytes(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    return started("broadcast", tensor, [&] { return group_->broadcast(tensors, options); });
  }
  Handle start_all_gather(at::Tensor output, at::Tensor input) override {
    check_tensor("all_gather", output, at::kCPU);
    check_tensor("all_gather", input, at::kCPU);
    check_sizes("all_gather", output, input, size());
    std::vector<std::vector<at::Tensor>> outputs{as_bytes(output).chunk(size())};
    std::vector<at::Tensor> inputs{as_bytes(input)};
    return started("all_gather", input, [&] { return group_->allgather(outputs, inputs); });
  }
  /// Gloo has none: an all-reduce, of which each rank keeps its part.
  Handle start_reduce_scatter(at::Tensor output, at::Tensor input, Reduction reduction) override {
    check_tensor("reduce_scatter", output, at::kCPU);
    check_tensor("reduce_scatter", input, at::kCPU);
    check_sizes("reduce_scatter", input, output, size());
    check_reduction(input, reduction);
    std::vector<at::Tensor> tensors{
        flat(input).to(input.scalar_type() == at::kBFloat16 ? at::kFloat : input.scalar_type())};
    c10d::AllreduceOptions options;
    options.reduceOp = operator_of(reduction);
    const double factor = reduction == Reduction::average ? 1.0 / size() : 1.0;
    return started(
        "reduce_scatter", input, [&] { return group_->allreduce(tensors, options); },
        [output, sums = tensors[0], own = rank(), factor] {
          flat(output).copy_(sums.narrow(0, own * output.numel(), output.numel()));
          if (factor != 1.0) output.mul_(factor);
        });
  }
  Handle start_send(at::Tensor tensor, int to) override {
    check_tensor("send", tensor, at::kCPU);
    check_rank("send", world(), to, false);
    std::vector<at::Tensor> tensors{as_bytes(tensor)};
    return waited(sends_, "send to rank " + std::to_string(to), group_->send(tensors, to, 0));
  }
  Handle start_receive(at::Tensor tensor, int from) override {
    check_tensor("receive", tensor, at::kCPU);
    check_rank("receive", world(), from, false);
    std::vector<at::Tensor> tensors{as_bytes(tensor)};
    return waited(receives_, "receive from rank " + std::to_string(from),
                  group_->recv(tensors, from, 0));
  }
  void abort(const std::string& reason) override { watcher_->abort(reason); }

 private:
  /// One dimension, in the order of the memory.
  static at::Tensor flat(const at::Tensor& tensor) {
    return tensor.as_strided({tensor.numel()}, {1}, tensor.storage_offset());
  }
  static at::Tensor as_bytes(const at::Tensor& tensor) { return flat(tensor).view(at::kByte); }

  void connect() {
    // Gloo writes to sockets whose other end may have died: an error is wanted, not a signal.
    std::signal(SIGPIPE, SIG_IGN);
    const auto options = c10d::ProcessGroupGloo::Options::create(world().timeout);
    options->threads = 2;
    try {
      options->devices.push_back(device_for(world()));
      group_ =
          c10::make_intrusive<c10d::ProcessGroupGloo>(watcher_->store(), rank(), size(), options);
    } catch (const std::exception& e) {
      watcher_->explain("connecting the ranks", 0, e.what());
    }
  }

  template <class Start>
  Handle started(const char* operation, const at::Tensor& tensor, Start start,
                 std::function<void()> finish = nullptr) {
    const std::uint64_t number = watcher_->count();
    const std::string what = text_of(operation, tensor);
    try {
      return std::make_shared<GlooWork>(watcher_, start(), what, number, std::move(finish));
    } catch (const c10::Error& e) {
      watcher_->explain(what, number, e.what_without_backtrace());
    }
  }

  Handle waited(WorkQueue& queue, const std::string& operation,
                c10::intrusive_ptr<c10d::Work> work) {
    return queue.start([timeout = world().timeout, operation, work] {
      try {
        work->wait(timeout);
      } catch (const std::exception& e) {
        throw CommunicationError(
            BETATUNE_INFRA,
            operation + ": it did not come in time, or is dead; gloo: " + first_line(e.what()));
      }
    });
  }

  std::shared_ptr<Watcher> watcher_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  WorkQueue sends_, receives_;
};

}  // namespace

std::unique_ptr<Communicator> make_gloo(const World& world) {
  return std::make_unique<Gloo>(world);
}

}  // namespace betatune::distributed
