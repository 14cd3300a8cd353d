#pragma once
/// What must hold, whatever fails (docs: the invariants I1 to I8). Knows the log, what trainers
/// made and what the optimizer is about to say; shares no code with the coordinator, and with the
/// fold only to compare it.

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "optimizer/coordinator.hpp"
#include "optimizer/simulation/files.hpp"

namespace betatune::simulation {

class Checks {
 public:
  /// At most so many attempts at once (trials.parallel).
  void allow_parallel(int attempts) { parallel_ = attempts; }
  /// An attempt takes as many slots as one of these; one slot, if there are none.
  void allow_widths(std::vector<int> choices) { choices_ = std::move(choices); }
  /// live() looks at every n-th state only: it takes longer the larger the study is.
  void look_at_all_every(std::size_t n) { look_every_ = n; }
  /// Checkpoints have contents, here.
  void look_into(const StudyFiles& files) { files_ = &files; }
  /// An attempt begins with these contents of a checkpoint.
  void begins_with(const ArtifactRef& artifact, const Contents& contents);
  /// All files of a checkpoint have arrived, at the optimizer or at a trainer.
  void travelled() { ++travelled_; }
  /// A trainer offers so many slots.
  void offers(const TrainerId& trainer, int slots) { slots_[trainer] = slots; }
  /// A trainer made this report; its metric `serial` is unique in the world.
  void made(const Report& report);
  /// A trainer published this checkpoint.
  void published(const ArtifactRef& artifact) { published_.insert(artifact.uri); }
  /// These events are durable now.
  void durable(std::span<const Event> events);
  /// The optimizer's state after the durable events (I5).
  void live(const StudyState& state);
  /// A message leaves the optimizer. Peers are named TRAINER#SESSION.
  void sending(const Outgoing& outgoing);
  /// The study says that it is over, with so many trials asked for.
  void finished(const std::string& reason, const StudyState& state, std::int64_t asked_for);
  void broken(const std::string& what);

  const std::vector<std::string>& violations() const { return violations_; }
  const StudyState& replica() const { return replica_; }
  std::size_t lost() const { return lost_; }
  std::size_t checkpoints_travelled() const { return travelled_; }

 private:
  struct Made {
    TrialId trial;
    AttemptId attempt;
    std::uint64_t seq = 0;
    Step step = 0;
    bool recorded = false;
  };
  struct Told {
    std::uint64_t attempts = 0;
    bool running = false, closed = false, excluded = false, confirms = false, replaced = false;
    std::optional<std::uint64_t> repeats;
    TrainerId trainer;
    int slots = 1;
    std::string resumed_from;
    std::map<std::uint64_t, std::uint64_t> reports;  ///< attempt -> reports in the log
    std::set<std::uint64_t> ended;                   ///< attempts
    std::set<std::pair<std::uint64_t, Action>> decided;
    std::map<Step, double> losses;
    std::optional<std::pair<Step, double>> standing;
  };

  void on(const TrialCreated& fact);
  void copied(const Parent& parent, TrialId by);
  void on(const AttemptStarted& fact);
  void on(const Reported& fact);
  void on(const ReportConflicted& fact);
  void on(const CheckpointSaved& fact);
  void must_be_there(const std::string& uri);
  void on(const Decided& fact);
  void on(const AttemptEnded& fact);
  void on(const TrialClosed& fact);
  template <class T>
  void on(const T&) {}
  struct Worth {
    std::pair<bool, Step> kind;  ///< confirmed ones first, then those that came furthest
    double loss = 0;
  };
  std::optional<Worth> worth(std::uint64_t first) const;
  Told* running(TrialId trial, AttemptId attempt, const char* what);
  void best(const StudyState& state);

  std::map<double, Made> made_;  ///< by serial
  std::set<std::string> published_, damaged_;
  const StudyFiles* files_ = nullptr;  ///< null: checkpoints are names only
  std::vector<Told> trials_;
  std::set<Configuration> configurations_;
  std::map<TrainerId, int> slots_, busy_;
  std::vector<int> choices_;
  int parallel_ = std::numeric_limits<int>::max();
  int running_now_ = 0;
  StudyState replica_;  ///< fold of the log as it would be read from a disk
  std::vector<std::string> violations_;
  std::size_t lost_ = 0, travelled_ = 0;
  std::size_t look_every_ = 1, looks_ = 0;
};

}  // namespace betatune::simulation
