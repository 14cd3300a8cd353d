#include "trainers/command/child_spec.hpp"

#include <algorithm>

#include "trainers/attempt_folder.hpp"
#include "trainers/command/command_rank.hpp"
#include "trainers/command/placeholders.hpp"
#include "trainers/command/rank_variables.hpp"
#include "trainers/metrics.hpp"

extern char** environ;

namespace betatune {
namespace {

class Environment {
 public:
  Environment() {
    for (char** each = environ; *each != nullptr; ++each) variables_.emplace_back(*each);
  }
  void set(const std::string& name, const std::string& value) {
    const std::string prefix = name + "=";
    std::erase_if(variables_, [&](const std::string& each) { return each.starts_with(prefix); });
    variables_.push_back(prefix + value);
  }
  /// As {placeholder} in arguments.
  void fill(const std::string& placeholder, const std::string& value) {
    values_[placeholder] = value;
  }
  void offer(const std::string& placeholder, const std::string& name, const std::string& value) {
    fill(placeholder, value);
    set(name, value);
  }
  const Placeholders& values() const { return values_; }
  std::vector<std::string> variables() && { return std::move(variables_); }

 private:
  std::vector<std::string> variables_;
  Placeholders values_;
};

void set_files(const Assign& assign, const CommandPlace& place, int rank, Environment& to) {
  to.offer("params_file", "BETATUNE_PARAMS_FILE", place.params_file);
  // In an argument, {config_file} is the configuration that is tried.
  to.fill("config_file", place.params_file);
  to.set("BETATUNE_CONFIG_FILE", place.config_file);
  to.offer("metrics_file", "BETATUNE_METRICS_FILE", metrics_file(assign, rank));
  to.offer("scratch_dir", "BETATUNE_SCRATCH_DIR", scratch_folder(assign));
  to.offer("study_dir", "BETATUNE_STUDY_DIR", assign.job.study_dir);
  to.offer("checkpoint_dir", "BETATUNE_CHECKPOINT_DIR", place.checkpoint_dir);
  if (!place.resume_dir.empty()) to.offer("resume_dir", "BETATUNE_RESUME_DIR", place.resume_dir);
}

void set_numbers(const Assign& assign, Environment& to) {
  const TrainerJob& job = assign.job;
  to.offer("trial", "BETATUNE_TRIAL", std::to_string(assign.trial.n));
  to.offer("attempt", "BETATUNE_ATTEMPT", std::to_string(assign.attempt.n));
  to.offer("from", "BETATUNE_FROM", std::to_string(assign.from));
  to.offer("until", "BETATUNE_UNTIL", std::to_string(assign.until));
  to.offer("seed", "BETATUNE_SEED", std::to_string(assign.seed));
  // Of one process, as its OMP_NUM_THREADS is.
  to.offer("cpus", "BETATUNE_CPUS", std::to_string(std::max(1, job.cpus / std::max(1, job.ranks))));
  to.offer("objective", "BETATUNE_OBJECTIVE", job.objective);
  to.set("BETATUNE_CONFIG", json_text(job.config));
}

void set_rank(const Assign& assign, const CommandPlace& place, int rank, Environment& to) {
  const RankPlace of_rank{
      rank, assign.job.ranks, place.port,
      "trial-" + std::to_string(assign.trial.n) + "-attempt-" + std::to_string(assign.attempt.n)};
  for (const auto& [name, value] : rank_variables(of_rank)) to.set(name, value);
  to.offer("rank", "BETATUNE_RANK", std::to_string(rank));
  to.offer("ranks", "BETATUNE_RANKS", std::to_string(assign.job.ranks));
}

}  // namespace

ChildSpec child_spec(const Assign& assign, const CommandPlace& place, int rank) {
  Environment environment;
  set_files(assign, place, rank, environment);
  set_numbers(assign, environment);
  if (assign.job.per_rank) set_rank(assign, place, rank, environment);
  // A parameter that has the name of one of ours wins: it is the user's word.
  for (const auto& [name, value] : assign.params) {
    environment.offer(name, parameter_variable(name), to_text(value));
  }
  ChildSpec spec;
  spec.argv = fill_placeholders(assign.job.command, environment.values());
  spec.environment = std::move(environment).variables();
  return spec;
}

}  // namespace betatune
