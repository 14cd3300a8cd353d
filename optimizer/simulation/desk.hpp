#pragma once
/// Answers PUT and GET of a simulation with the real FolderExchange, a while later and in their
/// order, as the thread beside the server's loop does. Bytes of a PUT are damaged on the way, the
/// disk cannot be written now and then, and the process may die between an answer and its sending.

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "optimizer/simulation/files.hpp"
#include "optimizer/simulation/world.hpp"
#include "transport/folder_exchange.hpp"

namespace betatune::simulation {

class SimDesk {
 public:
  using Post = std::function<void(const PeerId& to, const Message& message)>;

  /// `dies`: the optimizer's process ends here.
  SimDesk(World& world, const StudyFiles& files, Post post, std::function<void()> dies);

  /// A new process: what has arrived of folders that are not complete is gone.
  void boot();
  /// The process is down: what it had not answered is never answered.
  void crash();
  /// A message that the coordinator has admitted.
  void take(Received received);
  /// What has arrived for attempts that are over goes.
  void tidy(const StudyState& state);
  /// The study is over, and so is every attempt: nothing may be left of them.
  void close(const StudyState& state);

 private:
  void work(Received received);
  void answer(const PeerId& to, Message message);

  World& world_;
  const StudyFiles& files_;
  Post post_;
  std::function<void()> dies_;
  std::unique_ptr<FolderExchange> exchange_;
  std::uint64_t boot_ = 0;
  Monotonic busy_until_{0};
  std::set<std::pair<TrialId, AttemptId>> sending_;
  std::set<std::pair<TrialId, AttemptId>> ended_;  ///< of these, not forgotten yet
};

}  // namespace betatune::simulation
