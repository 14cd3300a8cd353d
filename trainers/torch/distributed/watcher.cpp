#include "trainers/torch/distributed/watcher.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

namespace betatune::distributed {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kWatch{500};    ///< between two looks
constexpr milliseconds kAnswer{3000};  ///< given to the others to say where they are
constexpr milliseconds kPoll{5};

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
  if (world.rendezvous.empty()) return c10::make_intrusive<c10d::HashStore>();  // one rank, alone
  const auto at = parse_rendezvous(world.rendezvous);
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

}  // namespace

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Watcher::Watcher(const World& world) {
  shared_->world = world;
  shared_->store = open_store(world);
  arrive();
  thread_ = std::thread([shared = shared_] {
    shared->watch();
    const std::lock_guard lock(shared->mutex);
    shared->watching = false;
    shared->changed.notify_all();
  });
}

Watcher::~Watcher() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->changed.notify_all();
  const bool ended = shared_->changed.wait_for(lock, kAnswer, [&] { return !shared_->watching; });
  lock.unlock();
  // The thread may hang in the store of a process that is stopped; it needs nothing of this.
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void Watcher::arrive() {
  auto& store = *shared_->store;
  std::vector<int> missing;
  try {
    store.set("arrived/" + std::to_string(shared_->world.rank), to_bytes("1"));
    missing = missing_after(store, "arrived/", shared_->world.size, shared_->world.timeout);
  } catch (const std::exception& e) {
    infra("rank 0's store at " + shared_->world.rendezvous + " failed: " + first_line(e.what()));
  }
  if (missing.empty()) return;
  infra("rank(s) " + listed(missing) + " of " + std::to_string(shared_->world.size) +
        " did not arrive at the rendezvous " + shared_->world.rendezvous + " within " +
        std::to_string(shared_->world.timeout.count()) + " ms");
}

void Watcher::Shared::answer() {
  store->set("here/" + std::to_string(world.rank), to_bytes(std::to_string(started.load())));
}

void Watcher::Shared::watch() {
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

std::string Watcher::Shared::where_is_everybody() {
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

/// Asks in a thread that may be left behind: a store whose process is stopped does not answer.
void Watcher::explain(const std::string& operation, std::uint64_t number,
                      const std::string& error) {
  auto answer_of = std::make_shared<std::promise<std::string>>();
  auto future = answer_of->get_future();
  std::thread([shared = shared_, answer_of] {
    try {
      answer_of->set_value(shared->where_is_everybody());
    } catch (const std::exception& e) {
      answer_of->set_value("rank(s) 0 did not arrive: its store does not answer (" +
                           first_line(e.what()) + ")");
    }
  }).detach();
  std::string found = "rank(s) 0 did not arrive and do not answer (dead or stopped)";
  if (future.wait_for(2 * kAnswer) == std::future_status::ready) found = future.get();
  infra(operation + " (operation " + std::to_string(number) + " of rank " +
        std::to_string(shared_->world.rank) + "): " + (found.empty() ? "" : found + "; ") +
        "the backend says: " + first_line(error));
}

std::string Watcher::aborted() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->aborted;
}

void Watcher::abort(const std::string& reason) {
  try {
    shared_->store->set(
        "abort", to_bytes("rank " + std::to_string(shared_->world.rank) + " gave up: " + reason));
  } catch (const std::exception&) {
    // Without a store the others notice by their timeouts.
  }
}

}  // namespace betatune::distributed
