#pragma once
/// Runs a function as the ranks of a gang, a forked process each (as the service does), and brings
/// back what each returned or threw. The calling process must not have used libtorch's threads.
/// Ends within a minute whatever the ranks do, and leaves none behind.

#include <chrono>
#include <csignal>
#include <functional>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "tests/support/temporary_directory.hpp"
#include "trainers/torch/distributed/world.hpp"

namespace betatune::support {

struct RankResult {
  enum class Kind { returned, threw, died, ended_by_test } kind = Kind::died;
  std::string text;                ///< what it returned, or the error's text
  std::int32_t failure_class = 0;  ///< of the error

  bool returned() const { return kind == Kind::returned; }
};

struct RankOptions {
  std::chrono::milliseconds timeout{30'000};  ///< World::timeout
  std::string rendezvous;                     ///< empty: a file of its own
  std::vector<int> absent;                    ///< ranks that are not started
  std::vector<int> stuck;                     ///< ranks that are not waited for, but killed
};

using RankBody = std::function<std::string(const distributed::World&)>;

namespace ranks_detail {

inline bool contains(const std::vector<int>& list, int value) {
  for (const int x : list) {
    if (x == value) return true;
  }
  return false;
}

[[noreturn]] inline void run(const RankBody& body, const distributed::World& world, int pipe) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string message;
  try {
    message = "R" + body(world);
  } catch (const plugin::Failure& e) {
    message = "T" + std::to_string(e.failure_class()) + ' ' + e.what();
  } catch (const std::exception& e) {
    message = "T-1 " + std::string(e.what());
  }
  for (std::size_t sent = 0; sent < message.size();) {
    const auto n = write(pipe, message.data() + sent, message.size() - sent);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  _exit(0);  // no destructors of the test program
}

struct Child {
  pid_t process = -1;
  int pipe = -1;
  std::string received;
  bool open = false;
};

inline RankResult result_of(const Child& child, bool killed) {
  RankResult result;
  if (!child.received.empty() && child.received[0] == 'R') {
    result.kind = RankResult::Kind::returned;
    result.text = child.received.substr(1);
  } else if (!child.received.empty()) {
    result.kind = RankResult::Kind::threw;
    const auto space = child.received.find(' ');
    result.failure_class = std::stoi(child.received.substr(1, space - 1));
    result.text = child.received.substr(space + 1);
  } else {
    result.kind = killed ? RankResult::Kind::ended_by_test : RankResult::Kind::died;
  }
  return result;
}

}  // namespace ranks_detail

inline std::vector<RankResult> run_ranks(int size, const RankBody& body,
                                         const RankOptions& options = {}) {
  using namespace ranks_detail;
  const TemporaryDirectory folder;
  std::vector<Child> children(static_cast<std::size_t>(size));
  for (int rank = 0; rank < size; ++rank) {
    if (contains(options.absent, rank)) continue;
    distributed::World world;
    world.rank = world.local_rank = rank;
    world.size = size;
    world.timeout = options.timeout;
    world.rendezvous = options.rendezvous.empty()
                           ? "file://" + (folder.path() / "rendezvous").string()
                           : options.rendezvous;
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
    Child& child = children[static_cast<std::size_t>(rank)];
    child.process = fork();
    if (child.process == 0) run(body, world, ends[1]);
    close(ends[1]);
    child.pipe = ends[0];
    child.open = true;
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto waited_for = [&](int rank) {
    return children[static_cast<std::size_t>(rank)].open && !contains(options.stuck, rank);
  };
  while (std::chrono::steady_clock::now() < deadline) {
    std::vector<pollfd> wanted;
    std::vector<int> ranks;
    for (int rank = 0; rank < size; ++rank) {
      if (!waited_for(rank)) continue;
      wanted.push_back({children[static_cast<std::size_t>(rank)].pipe, POLLIN, 0});
      ranks.push_back(rank);
    }
    if (wanted.empty()) break;
    poll(wanted.data(), wanted.size(), 100);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].revents == 0) continue;
      Child& child = children[static_cast<std::size_t>(ranks[i])];
      char buffer[65536];
      const auto n = read(child.pipe, buffer, sizeof buffer);
      if (n > 0) child.received.append(buffer, static_cast<std::size_t>(n));
      if (n <= 0) child.open = false;
    }
  }
  std::vector<RankResult> results;
  for (Child& child : children) {
    const bool killed = child.open;
    if (child.process > 0) {
      if (killed) kill(child.process, SIGKILL);
      waitpid(child.process, nullptr, 0);
      close(child.pipe);
    }
    results.push_back(result_of(child, killed));
  }
  return results;
}

}  // namespace betatune::support
