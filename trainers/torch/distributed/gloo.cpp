/// The Communicator over Gloo (TCP), through libtorch's ProcessGroupGloo. What is added: nothing
/// waits for ever, and errors name ranks. Gloo itself says "timed out" or "connection closed" and
/// little else, so every rank has a watcher: a thread that looks into the store twice a second. A
/// rank that is stuck asks there where everybody is; those that live answer.

#include <ATen/ATen.h>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <future>
#include <gloo/algorithm.h>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "trainers/torch/distributed/backends.hpp"

namespace betatune::distributed {

const bool kHasGloo = true;

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kWatch{500};    ///< between two looks of a watcher
constexpr milliseconds kAnswer{3000};  ///< given to the others to say where they are
constexpr milliseconds kPoll{5};

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

[[noreturn]] void infra(const std::string& text) {
  throw CommunicationError(BETATUNE_INFRA, text);
}

std::vector<std::uint8_t> to_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}
std::string to_text(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

c10::intrusive_ptr<c10d::Store> open_store(const World& world) {
  const auto at =
      parse_rendezvous(world.rendezvous.empty() ? "file:///dev/null" : world.rendezvous);
  try {
    c10::intrusive_ptr<c10d::Store> store;
    if (at.kind == Rendezvous::Kind::file) {
      store = c10::make_intrusive<c10d::FileStore>(at.path, world.size);
    } else {
      c10d::TCPStoreOptions options;
      options.port = at.port;
      options.isServer = world.rank == 0;
      options.numWorkers = world.size;
      options.waitWorkers = false;  // arrive() waits, and knows who is missing
      options.timeout = world.timeout;
      store = c10::make_intrusive<c10d::TCPStore>(at.host, options);
    }
    store->setTimeout(world.timeout);
    return store;
  } catch (const std::exception& e) {
    infra((world.rank == 0 ? "rank 0 cannot listen at " : "rank 0 cannot be reached at ") +
          world.rendezvous + ": " + first_line(e.what()));
  }
}

/// Waits until `key`/rank is in the store for all ranks; returns those for which it is not.
std::vector<int> missing_after(c10d::Store& store, const std::string& key, int size,
                               milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::vector<int> missing;
  for (int rank = 0; rank < size; ++rank) {
    while (!store.check({key + std::to_string(rank)})) {
      if (Clock::now() > deadline) {
        missing.push_back(rank);
        break;
      }
      std::this_thread::sleep_for(kPoll);
    }
  }
  return missing;
}

std::string listed(const std::vector<int>& ranks) {
  std::string text;
  for (const int rank : ranks) text += (text.empty() ? "" : ", ") + std::to_string(rank);
  return text;
}

/// Shared by the communicator, its works, and threads that a store may keep for long.
struct State : std::enable_shared_from_this<State> {
  World world;
  c10::intrusive_ptr<c10d::Store> store;
  std::atomic<std::uint64_t> started{0};  ///< collectives
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false, watching = true;
  std::string aborted;  ///< the reason another rank gave

  void answer() {
    const std::string key = "here/" + std::to_string(world.rank);
    store->set(key, to_bytes(std::to_string(started.load())));
  }
  void watch();
  std::string where_is_everybody();
  [[noreturn]] void explain(const std::string& operation, std::uint64_t number,
                            const std::string& error);
};

void State::watch() {
  std::unique_lock lock(mutex);
  try {
    while (!changed.wait_for(lock, kWatch, [&] { return stop; })) {
      lock.unlock();
      const bool asked = store->check({"stuck"});
      if (asked) answer();
      const std::string reason =
          store->check({"abort"}) ? to_text(store->get("abort")) : std::string();
      lock.lock();
      if (!reason.empty()) {
        aborted = reason;
        changed.notify_all();
        return;
      }
      if (asked) return;
    }
  } catch (const std::exception&) {
    // The store is gone: so is rank 0, and operations end by their own errors.
  }
}

std::string State::where_is_everybody() {
  if (store->check({"abort"})) return to_text(store->get("abort"));
  store->set("stuck", to_bytes("1"));
  answer();
  const auto missing = missing_after(*store, "here/", world.size, kAnswer);
  std::string text;
  if (!missing.empty()) {
    text = "rank(s) " + listed(missing) + " did not arrive and do not answer (dead or stopped)";
  }
  for (int rank = 0; rank < world.size; ++rank) {
    if (std::find(missing.begin(), missing.end(), rank) != missing.end()) continue;
    const auto at = std::stoull(to_text(store->get("here/" + std::to_string(rank))));
    if (at >= started.load()) continue;
    text += (text.empty() ? "" : "; ") + ("rank " + std::to_string(rank)) +
            " did not arrive: it is at its operation " + std::to_string(at) + ", this rank at " +
            std::to_string(started.load());
  }
  return text;
}

/// Asks the others where they are, in a thread that may be left behind: a store whose process is
/// stopped does not answer at all.
void State::explain(const std::string& operation, std::uint64_t number, const std::string& error) {
  auto answer_of = std::make_shared<std::promise<std::string>>();
  auto future = answer_of->get_future();
  std::thread([self = shared_from_this(), answer_of] {
    try {
      answer_of->set_value(self->where_is_everybody());
    } catch (const std::exception& e) {
      answer_of->set_value("rank(s) 0 did not arrive: its store does not answer (" +
                           first_line(e.what()) + ")");
    }
  }).detach();
  std::string found = "rank(s) 0 did not arrive and do not answer (dead or stopped)";
  if (future.wait_for(2 * kAnswer) == std::future_status::ready) found = future.get();
  infra(operation + " (operation " + std::to_string(number) + " of rank " +
        std::to_string(world.rank) + "): " + (found.empty() ? "" : found + "; ") +
        "gloo: " + first_line(error));
}

class GlooWork final : public Work {
 public:
  GlooWork(std::shared_ptr<State> state, c10::intrusive_ptr<c10d::Work> work, std::string operation,
           std::function<void()> finish)
      : state_(std::move(state)),
        work_(std::move(work)),
        operation_(std::move(operation)),
        finish_(std::move(finish)),
        number_(state_->started.load()),
        done_(std::make_shared<Done>()) {
    work_->getFuture()->addCallback([done = done_, state = state_](auto&) {
      const std::lock_guard lock(state->mutex);
      done->end = Clock::now();
      done->yes = true;
      state->changed.notify_all();
    });
  }

  void wait() override {
    {
      std::unique_lock lock(state_->mutex);
      state_->changed.wait(lock, [&] { return done_->yes || !state_->aborted.empty(); });
      if (!done_->yes) infra(state_->aborted);
    }
    try {
      work_->wait();
    } catch (const std::exception& e) {
      state_->explain(operation_, number_, e.what());
    }
    if (finish_) std::exchange(finish_, nullptr)();
  }
  Span span() const override { return {begin_, done_->end}; }

 private:
  struct Done {
    bool yes = false;
    Clock::time_point end;
  };
  std::shared_ptr<State> state_;
  c10::intrusive_ptr<c10d::Work> work_;
  std::string operation_;
  std::function<void()> finish_;
  std::uint64_t number_;
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
  if (world.rendezvous.empty()) return Group::createDeviceForHostname("127.0.0.1");
  const auto at = parse_rendezvous(world.rendezvous);
  const bool here =
      at.kind == Rendezvous::Kind::file || at.host == "localhost" || at.host.starts_with("127.");
  return here ? Group::createDeviceForHostname("127.0.0.1") : Group::createDefaultDevice();
}

class Gloo final : public Communicator {
 public:
  explicit Gloo(const World& world) : Communicator(world), state_(std::make_shared<State>()) {
    state_->world = world;
    state_->store = open_store(world);
    arrive();
    connect();
    watcher_ = std::thread([state = state_] {
      state->watch();
      const std::lock_guard lock(state->mutex);
      state->watching = false;
      state->changed.notify_all();
    });
  }
  ~Gloo() override {
    std::unique_lock lock(state_->mutex);
    state_->stop = true;
    state_->changed.notify_all();
    const bool ended = state_->changed.wait_for(lock, kAnswer, [&] { return !state_->watching; });
    lock.unlock();
    // The watcher may hang in the store of a process that is stopped; it needs nothing of this.
    if (ended) {
      watcher_.join();
    } else {
      watcher_.detach();
    }
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
  void abort(const std::string& reason) override {
    try {
      state_->store->set("abort",
                         to_bytes("rank " + std::to_string(rank()) + " gave up: " + reason));
    } catch (const std::exception&) {
      // Without a store the others notice by their timeouts.
    }
  }

 private:
  /// One dimension, in the order of the memory.
  static at::Tensor flat(const at::Tensor& tensor) {
    return tensor.as_strided({tensor.numel()}, {1}, tensor.storage_offset());
  }
  static at::Tensor as_bytes(const at::Tensor& tensor) { return flat(tensor).view(at::kByte); }

  void arrive() {
    auto& store = *state_->store;
    std::vector<int> missing;
    try {
      store.set("arrived/" + std::to_string(rank()), to_bytes("1"));
      missing = missing_after(store, "arrived/", size(), world().timeout);
    } catch (const std::exception& e) {
      infra("rank 0's store at " + world().rendezvous + " failed: " + first_line(e.what()));
    }
    if (missing.empty()) return;
    infra("rank(s) " + listed(missing) + " of " + std::to_string(size()) +
          " did not arrive at the rendezvous " + world().rendezvous + " within " +
          std::to_string(world().timeout.count()) + " ms");
  }

  void connect() {
    // Gloo writes to sockets whose other end may have died: an error is wanted, not a signal.
    std::signal(SIGPIPE, SIG_IGN);
    const auto options = c10d::ProcessGroupGloo::Options::create(world().timeout);
    options->threads = 2;
    try {
      options->devices.push_back(device_for(world()));
      group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(state_->store, rank(), size(), options);
    } catch (const std::exception& e) {
      state_->explain("connecting the ranks", 0, e.what());
    }
  }

  template <class Start>
  Handle started(const char* operation, const at::Tensor& tensor, Start start,
                 std::function<void()> finish = nullptr) {
    state_->started.fetch_add(1);
    const std::string what = std::string(operation) + " of " + std::to_string(tensor.numel()) +
                             " x " + name_of(element_of(tensor));
    try {
      return std::make_shared<GlooWork>(state_, start(), what, std::move(finish));
    } catch (const c10::Error& e) {
      state_->explain(what, state_->started.load(), e.what_without_backtrace());
    }
  }

  Handle waited(WorkQueue& queue, const std::string& operation,
                c10::intrusive_ptr<c10d::Work> work) {
    return queue.start([state = state_, operation, work] {
      try {
        work->wait(state->world.timeout);
      } catch (const std::exception& e) {
        infra(operation + ": it did not come in time, or is dead; gloo: " + first_line(e.what()));
      }
    });
  }

  std::shared_ptr<State> state_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  WorkQueue sends_, receives_;
  std::thread watcher_;
};

}  // namespace

std::unique_ptr<Communicator> make_gloo(const World& world) {
  return std::make_unique<Gloo>(world);
}

}  // namespace betatune::distributed
