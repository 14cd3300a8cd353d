#pragma once
/// The simulated shell round the real coordinator: a turn takes what has arrived, appends all facts
/// at once and only then lets messages out; it is killed at every place where that order matters.

#include "optimizer/checkpoints.hpp"
#include "optimizer/simulation/checks.hpp"
#include "optimizer/simulation/desk.hpp"
#include "optimizer/simulation/study.hpp"
#include "optimizer/simulation/world.hpp"
#include "optimizer/store.hpp"

namespace betatune::simulation {

class SimServer {
 public:
  using Post = std::function<void(const PeerId& to, const Message& message)>;

  SimServer(World& world, Checks& checks, StudySpec spec, Mutation mutation, Post post);
  /// Trainers may give and get the files of checkpoints.
  void keep(const StudyFiles& files);

  void start();
  void receive(const PeerId& from, const Message& message);

  bool over() const { return !finished_.empty(); }
  const std::string& finished() const { return finished_; }
  std::size_t restarts() const { return restarts_; }
  const StudyStore& store() const { return *store_; }
  const StudySpec& spec() const { return *spec_; }
  /// What still runs or waits, for the message of a study that did not finish.
  std::string where() const;

 private:
  void boot();
  void tick();
  void user();
  void put(Input input);
  void turn();
  /// Appends and checks; false if the process died on the way.
  bool commit(const Effects& effects);
  bool append(std::span<const Event> events);
  Effects step(Input input);
  void release(const Effects& effects);
  void plan(const PlanRequest& request);
  void crash(Monotonic pause);
  void end(const std::string& reason);
  void merge(Effects& all, Effects more);
  Input mutated(Input input) const;
  Monotonic monotonic() const { return world_.clock.now() + monotonic_base_; }

  World& world_;
  Checks& checks_;
  std::shared_ptr<const StudySpec> spec_;
  Mutation mutation_;
  Post post_;
  std::unique_ptr<StudyStore> store_;
  Policies policies_;
  bool on_demand_;
  const StudyFiles* files_ = nullptr;
  std::unique_ptr<SimDesk> desk_;             ///< null where checkpoints are names only
  std::optional<CheckpointKeeper> keeper_;    ///< the process's
  std::unique_ptr<Coordinator> coordinator_;  ///< null while the process is down
  std::vector<Input> inbox_;
  bool turn_scheduled_ = false;
  std::uint64_t boot_ = 0;
  Monotonic monotonic_base_{0};
  std::string finished_;
  std::size_t restarts_ = 0;
};

}  // namespace betatune::simulation
