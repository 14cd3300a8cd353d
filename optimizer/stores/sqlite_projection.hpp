#pragma once
/// Keeps the tables that people query in step with the log: one call per event, inside the
/// transaction that appends it.

#include "optimizer/event.hpp"
#include "optimizer/outcomes.hpp"
#include "optimizer/stores/sqlite_handle.hpp"

namespace betatune::sqlite {

class Projection {
 public:
  /// Errors: corrupt if the tables are missing.
  static Result<Projection> make(const Database& database);

  Status apply(const Event& event);
  /// Writes what is kept once per transaction rather than once per event.
  Status finish();
  /// After a rollback: forget what finish() would have written.
  Status reload();

 private:
  Status set(std::string_view key, std::string_view value);
  Status set(std::string_view key, std::int64_t value);

  Status set_document(const Json& document);
  /// What outcome constraints say of a trial with these metrics.
  Status judge(TrialId trial, const Metrics& watched);
  Status judge_again();
  Status watch(TrialId trial, const Metrics& reported);

  Status on(const Event& event, const StudyCreated& fact);
  Status on(const Event& event, const OptimizerStarted& fact);
  Status on(const Event& event, const DocumentChanged& fact);
  Status on(const Event& event, const EarlierStudyRead& fact);
  Status on(const Event& event, const ConfigurationEnqueued& fact);
  Status on(const Event& event, const TrialCreated& fact);
  Status on(const Event& event, const AttemptStarted& fact);
  Status on(const Event& event, const Reported& fact);
  Status on(const Event& event, const ReportConflicted& fact);
  Status on(const Event& event, const CheckpointSaved& fact);
  Status on(const Event& event, const Decided& fact);
  Status on(const Event& event, const AttemptEnded& fact);
  Status on(const Event& event, const TrialClosed& fact);
  Status on(const Event& event, const StudyClosed& fact);

  Statement set_, add_, kept_, trial_, started_, attempt_, report_, reported_, checkpoint_, saved_,
      damaged_, fall_back_, decided_, paused_, failed_, attempt_ended_, closed_, level_, watched_,
      judged_, all_metrics_;
  std::int64_t last_at_us_ = 0;
  std::int64_t active_us_ = 0;
  std::int64_t full_budget_ = 1;
  int gpus_ = 0;  ///< of one trial
  Outcomes outcomes_;
};

}  // namespace betatune::sqlite
