#pragma once
/// A simulated trainer: an honest implementation of BTP/1 with a buffer of what is not
/// acknowledged, that crashes, hangs, comes back from the dead, and whose trainings fail or
/// diverge.

#include <deque>
#include <map>
#include <set>

#include "optimizer/simulation/checks.hpp"
#include "optimizer/simulation/courier.hpp"
#include "optimizer/simulation/world.hpp"

namespace betatune::simulation {

struct TrainerSetup {
  TrainerId name;
  int slots = 1;
  double step_s = 1;     ///< time of one training step
  bool renames = false;  ///< takes a new name after each crash, as a relaunched process does
  std::string metric;
  bool maximize = false;
  std::string cost;             ///< name of a second objective, to be minimised; empty: none
  bool rates = false;           ///< it reports samples/s
  StudyFiles* files = nullptr;  ///< contents of checkpoints; null: they are names only
  bool elsewhere = false;       ///< it does not see the study's folder: they travel
  bool reports_early = false;   ///< a bug: a checkpoint before it has arrived
  bool trusts = false;          ///< a bug: contents are not compared with their digests
};

class SimTrainer {
 public:
  using Post = std::function<void(const TrainerId& link, const PeerId& from, Message message)>;

  SimTrainer(World& world, Checks& checks, Network& network, TrainerSetup setup, Post post);

  /// Begins to beat.
  void start();
  /// A message for one of its sessions, maybe an old one.
  void receive(const PeerId& to, const Message& message);

 private:
  struct Job {
    Assign assign;
    Step step = 0;
    std::uint64_t seq = 0, acknowledged = 0;
    std::deque<Report> outbox;
    std::optional<Done> done;
    bool fetching = false;
    std::deque<ArtifactRef> sending;  ///< checkpoints on their way, in their order
    std::optional<std::pair<AttemptEnd, std::optional<FailureClass>>> end;  ///< said behind them
    std::uint64_t generation = 0;
  };

  void beat();
  void misfortune();
  void crash();
  void connect();
  void say(Message message);
  void on(const Welcome& welcome);
  void on(const Assign& assign);
  void on(const Ack& ack);
  void on(const Decision& decision);
  void on(const Beat& answer);
  void on(const Refusal& refusal);
  void on(const Bye&);
  void on(const FileStored& stored) { courier_.on(stored); }
  void on(const FileData& data);
  template <class T>
  void on(const T&) {}

  void schedule_step(TrialId trial);
  void train(TrialId trial, std::uint64_t generation);
  void begin(Job& job);
  void begin_with(Job& job, const std::optional<Contents>& contents);
  void fetched(const SimCourier::Key& key, const std::optional<Contents>& contents);
  void arrived(const SimCourier::Key& key, const ArtifactRef& artifact);
  Job* job_of(const SimCourier::Key& key);
  void report(Job& job, bool with_metrics, bool with_checkpoint);
  void publish(Job& job, bool with_metrics);
  void emit(Job& job, bool with_metrics, std::optional<ArtifactRef> checkpoint);
  void finish(Job& job, AttemptEnd end, std::optional<FailureClass> failure);
  double loss_of(const Job& job);
  static double cost_of(const Job& job);
  void drop(TrialId trial, AttemptId attempt);
  std::vector<Held> held() const;
  int credit() const;
  bool hangs() const { return world_.clock.now() < hung_until_; }
  PeerId peer() const { return setup_.name + "#" + std::to_string(session_); }

  World& world_;
  Checks& checks_;
  Network& network_;
  TrainerSetup setup_;
  TrainerId first_name_;
  Post post_;
  SimCourier courier_;
  std::set<SimCourier::Key> spoilt_;  ///< attempts whose DATA was damaged on the way once
  bool up_ = true, welcome_ = false;
  int session_ = 0, boots_ = 0;
  Monotonic hung_until_{0};
  std::uint64_t generation_ = 0;
  std::map<TrialId, Job> jobs_;
  std::map<TrialId, AttemptId> ended_;  ///< newest attempt that is over, by trial
};

}  // namespace betatune::simulation
