#pragma once
/// A study whose log is read on as it grows: what `betatune watch` looks at.

#include <functional>
#include <memory>

#include "optimizer/cli/study_argument.hpp"
#include "optimizer/decisions.hpp"

namespace betatune {

class FollowedStudy {
 public:
  /// Decisions are looked up for the last `decisions` events that there are, and for all later
  /// ones. Errors: not_found if it has not begun; the reader's.
  static Result<std::unique_ptr<FollowedStudy>> open(const StudyPlace& place, Sequence decisions);

  using Each = std::function<void(const Event&, const std::optional<RungDecision>&)>;
  /// Every event since the last call; state() has it when `each` is called. Errors: the store's;
  /// see DecisionTrace.
  Status catch_up(const Each& each);
  /// The summary, as of now.
  Result<StudySummary> summary() const { return study_.reader->summary(); }

  const StudyState& state() const { return trace_.state(); }
  StudyReader& reader() const { return *study_.reader; }
  const StudyPlace& place() const { return study_.place; }
  /// Whether it has made room for another one (`betatune run --fresh`).
  bool is_gone() const;

 private:
  FollowedStudy(OpenStudy study, std::unique_ptr<StudyStore> store, Sequence after);

  OpenStudy study_;
  std::unique_ptr<StudyStore> store_;
  DecisionTrace trace_;
  std::uint64_t file_ = 0;  ///< of its database; 0: nobody knows
};

}  // namespace betatune
