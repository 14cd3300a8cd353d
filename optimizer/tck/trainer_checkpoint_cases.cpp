/// Checkpoints: where they are, when they are told, and going on from them.

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <regex>

#include "optimizer/tck/trainer_cases.hpp"

namespace betatune::tck {
namespace {

namespace fs = std::filesystem;

/// Pauses a running trial, and returns the checkpoint that it reported.
Result<std::pair<Assign, ArtifactRef>> pause(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_checkpoints());
  BETATUNE_TRY(const Assign assign, t.begin_running(10));
  const Report report = t.reports().front();
  if (report.step > assign.until / 2) return skipped("its trials are over too soon");
  t.send(Decision{assign.trial, assign.attempt, Action::pause, "the kit says so"});
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  std::optional<ArtifactRef> found;
  for (const Report& each : t.reports()) {
    if (each.checkpoint) found = each.checkpoint;
  }
  if (!found) return wrong("it paused without reporting a checkpoint");
  return std::pair(assign, *found);
}

Status is_reported(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  static_cast<void>(paused);
  return Ok{};
}

Status is_inside(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  const fs::path uri = paused.second.uri;
  if (uri.is_absolute()) return wrong("uri is absolute: " + uri.string());
  for (const fs::path& each : uri) {
    if (each == "..") return wrong("uri leaves the study's folder: " + uri.string());
  }
  return fs::exists(t.folder() / uri) ? Status(Ok{}) : wrong("there is nothing at " + uri.string());
}

Status has_the_name(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  static const std::regex shape("checkpoints/trial-[0-9]+/attempt-[0-9]+-step-[0-9]+");
  return std::regex_match(paused.second.uri, shape) ? Status(Ok{})
                                                    : wrong("it is named " + paused.second.uri);
}

Status goes_on(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  Assign next = t.make_assign(paused.first.trial, 2);
  next.from = paused.second.step;
  next.resume_from = paused.second;
  if (next.from >= next.until) return skipped("its trials are over too soon");
  t.send(next);
  BETATUNE_TRY(const Report first, t.expect<Report>([&](const Report& each) {
    return each.attempt == next.attempt && each.seq == 1;
  }));
  BETATUNE_TRY(const Done done, t.finish(next));
  if (done.end != AttemptEnd::reached) return wrong("it did not go on: " + done.message);
  return first.step > next.from
             ? Status(Ok{})
             : wrong(fmt::format("it began at step {}, with a checkpoint of step {}", first.step,
                                 next.from));
}

Status fails_without_it(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_checkpoints());
  BETATUNE_CHECK(t.needs_steps(10));
  BETATUNE_CHECK(t.begin());
  Assign assign = t.make_assign(TrialId{0}, 2);
  assign.from = 3;
  assign.resume_from = ArtifactRef{"checkpoints/trial-0/attempt-1-step-3", 3, 1};
  t.send(assign);
  BETATUNE_TRY(const Done done, t.expect<Done>());
  t.acknowledge(done);
  return done.end == AttemptEnd::failed
             ? Status(Ok{})
             : wrong("it says that it went on from a checkpoint that is not there");
}

/// Asks for attempt 2 from this checkpoint, and returns how it ended. Nothing may be trained first.
Result<Done> begin_from(TrainerScript& t, TrialId trial, const ArtifactRef& artifact) {
  Assign next = t.make_assign(trial, 2);
  next.from = artifact.step;
  next.resume_from = artifact;
  t.send(next);
  BETATUNE_TRY(const Done done, t.expect<Done>());
  t.acknowledge(done);
  for (const Report& each : t.reports()) {
    if (each.attempt == next.attempt) return wrong("it trained all the same");
  }
  return done;
}

Status is_of_class(const Done& done) {
  if (done.end != AttemptEnd::failed) return wrong("it says that it went on from it");
  return done.failure == FailureClass::checkpoint
             ? Status(Ok{})
             : wrong("its DONE has another class of failure: " + done.message);
}

/// Changes the middle of the largest file.
Status flip_a_byte(const fs::path& folder) {
  fs::path largest;
  for (const auto& each : fs::recursive_directory_iterator(folder)) {
    if (!each.is_regular_file() || each.path().filename() == "B2SUMS") continue;
    if (largest.empty() || each.file_size() > fs::file_size(largest)) largest = each.path();
  }
  if (largest.empty() || fs::file_size(largest) == 0) return skipped("its checkpoints are empty");
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(fs::file_size(largest) / 2);
  file.seekg(middle);
  const int byte = file.get();
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 1));
  return file ? Status(Ok{}) : wrong("the kit cannot write " + largest.string());
}

Status has_a_digest(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  return paused.second.digest ? Status(Ok{}) : wrong("its checkpoint has no digest");
}

Status finds_damage(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  if (!paused.second.digest) return skipped("its checkpoints have no digests");
  BETATUNE_CHECK(flip_a_byte(t.folder() / paused.second.uri));
  BETATUNE_TRY(const Done done, begin_from(t, paused.first.trial, paused.second));
  return is_of_class(done);
}

Status tells_missing_from_unseen(TrainerScript& t) {
  BETATUNE_TRY(const auto paused, pause(t));
  std::ofstream(t.folder() / "study.db") << "the study's folder is here";
  fs::remove_all(t.folder() / paused.second.uri);
  BETATUNE_TRY(const Done done, begin_from(t, paused.first.trial, paused.second));
  return is_of_class(done);
}

}  // namespace

std::vector<TrainerCase> trainer_checkpoint_cases() {
  using enum Level;
  return {
      {"T-CHECKPOINT-1", must, "DECISION", "pause asks for a checkpoint, reported before DONE.",
       is_reported},
      {"T-CHECKPOINT-2", must, "Checkpoints", "It is there, below the study's folder.", is_inside},
      {"T-CHECKPOINT-3", should, "Checkpoints", "It is named checkpoints/trial-T/attempt-A-step-S.",
       has_the_name},
      {"T-CHECKPOINT-4", must, "Checkpoints", "An attempt goes on behind its resume_from.",
       goes_on},
      {"T-CHECKPOINT-5", must, "Checkpoints",
       "An attempt whose resume_from is not there does not begin as if it were.", fails_without_it},
      {"T-CHECKPOINT-6", should, "Checkpoints", "It has a digest.", has_a_digest},
      {"T-CHECKPOINT-7", must, "Checkpoints", "One that is damaged is not loaded, and named so.",
       finds_damage},
      {"T-CHECKPOINT-8", should, "Checkpoints",
       "One that is missing from the study's folder counts as damaged.", tells_missing_from_unseen},
  };
}

}  // namespace betatune::tck
