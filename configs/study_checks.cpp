// What the types of the keys cannot say: ranges, names, sections that need each other.

#include <algorithm>
#include <cmath>

#include "configs/study_reader.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

class Checks {
 public:
  Checks(const ConfigNode& root, Diagnostics& diagnostics)
      : root_(root), diagnostics_(diagnostics) {}

  void error(const char* code, const char* path, const std::string& message,
             const std::string& help = {}) {
    diagnostics_.error(code, message, mark_at_path(root_, path), help);
  }
  void at_least(const char* path, std::int64_t value, std::int64_t min) {
    if (value >= min) return;
    error("E0105", path,
          "`" + std::string(path) + "` must be " + std::to_string(min) + " or more, found " +
              std::to_string(value));
  }
  template <class T>
  void at_least(const char* path, const std::optional<T>& value, std::int64_t min) {
    if (value) at_least(path, static_cast<std::int64_t>(*value), min);
  }
  void positive(const char* path, const std::optional<Duration>& value) {
    if (!value || value->seconds > 0) return;
    error("E0105", path, "`" + std::string(path) + "` must be longer than 0s");
  }
  void positive(const char* path, const std::optional<double>& value) {
    if (!value || (*value > 0 && std::isfinite(*value))) return;
    error("E0105", path,
          "`" + std::string(path) + "` must be a number above 0, found " + to_text(Value(*value)));
  }
  /// A name of a metric or a unit: shown in tables, so without control characters by construction.
  void short_text(const char* path, const std::string& text) {
    if (text.empty()) error("E0205", path, "`" + std::string(path) + "` is empty");
    if (text.size() > limits::kNameBytes) {
      error("E0205", path,
            "`" + std::string(path) + "` has more than " + std::to_string(limits::kNameBytes) +
                " bytes");
    }
  }
  bool given(const char* path) const { return node_at(root_, path) != nullptr; }

 private:
  const ConfigNode& root_;
  Diagnostics& diagnostics_;
};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// The name becomes a folder, so it must not be a path, a hidden file or an option.
void check_study_name(Checks& checks, const std::string& name) {
  if (!checks.given("study.name")) return;
  checks.short_text("study.name", name);
  if (name.empty()) return;
  const bool fine =
      std::all_of(name.begin(), name.end(), is_name_character) && name[0] != '.' && name[0] != '-';
  if (fine) return;
  checks.error("E0205", "study.name", "`study.name` cannot be `" + name + "`",
               "letters, digits, `.`, `_` and `-`, beginning with a letter, a digit or `_`");
}

void check_fidelity(Checks& checks, const std::optional<FidelitySpec>& fidelity) {
  if (!fidelity) return;
  checks.short_text("fidelity.name", fidelity->name);
  checks.at_least("fidelity.min", fidelity->min, 1);
  if (!checks.given("fidelity.max")) return;
  checks.at_least("fidelity.max", fidelity->max, 1);
  if (fidelity->min >= 1 && fidelity->max >= 1 && fidelity->min > fidelity->max) {
    checks.error("E0208", "fidelity.min",
                 "`fidelity.min` (" + std::to_string(fidelity->min) +
                     ") is above `fidelity.max` (" + std::to_string(fidelity->max) + ")",
                 "trials are compared from `min` on and trained to `max`; swap them");
  }
}

void check_no_gain(Checks& checks, const StudySpec& spec) {
  if (!spec.stopping.no_gain) return;
  checks.positive("stopping.no_gain.below", std::optional(spec.stopping.no_gain->below));
  checks.at_least("stopping.no_gain.trials", std::optional(spec.stopping.no_gain->trials), 1);
  const std::string& searcher = spec.algorithm.searcher.name;
  const bool promises = searcher == "auto" || searcher == "gp";
  if (promises && spec.objectives.size() == 1) return;
  checks.error("E0208", "stopping.no_gain",
               promises ? "`stopping.no_gain` is of one objective, and the study has several"
                        : "`stopping.no_gain` needs a search that says what it expects, and `" +
                              searcher + "` does not",
               promises ? "leave it out" : "use `algorithm: auto` or `gp`, or leave it out");
}

void check_stopping(Checks& checks, const StudySpec& spec) {
  checks.at_least("stopping.trials", spec.stopping.trials, 1);
  checks.positive("stopping.wall_time", spec.stopping.wall_time);
  checks.positive("stopping.gpu_hours", spec.stopping.gpu_hours);
  checks.positive("stopping.trainer_hours", spec.stopping.trainer_hours);
  checks.at_least("stopping.steps", spec.stopping.steps, 1);
  if (checks.given("stopping.gpu_hours") && spec.resources.gpus == 0) {
    checks.error("E0208", "stopping.gpu_hours",
                 "`stopping.gpu_hours` would never be used: the trials ask for no GPU",
                 "use stopping.trainer_hours, or set resources.gpus");
  }
  if (checks.given("stopping.steps") && !spec.fidelity) {
    checks.error("E0208", "stopping.steps",
                 "`stopping.steps` counts steps of the `fidelity`, and the study has none",
                 "use stopping.trials, or add `fidelity: {name: epoch, min: 1, max: 27}`");
  }
  check_no_gain(checks, spec);
  const auto given = [&](const char* rule) { return checks.given(rule); };
  const bool bounded =
      std::ranges::any_of(std::array{"stopping.trials", "stopping.wall_time", "stopping.gpu_hours",
                                     "stopping.trainer_hours", "stopping.steps"},
                          given) ||
      spec.objective.target.has_value();
  if (bounded || spec.trainer.external.value_or(false)) return;
  checks.error(
      "E0208", "stopping", "nothing says when the study ends",
      "add stopping.trials, stopping.wall_time, another rule of `stopping`, or objective.target");
}

/// `instead`: what to do with the key where the trainer has no ranks.
void check_has_ranks(Checks& checks, const TrainerSpec& trainer, const char* key,
                     const std::string& what, const std::string& instead) {
  if (trainer.has_ranks()) return;
  if (trainer.external.value_or(false)) {
    checks.error("E0208", key, what + " no use where trainers are external",
                 instead + ": they start their processes themselves");
    return;
  }
  checks.error("E0208", key, what + " no use where the command is one process",
               "set `trainer.processes: per-rank`, or " + instead +
                   " and have the command start its processes itself (`torchrun`, `mpirun`)");
}

void check_widths(Checks& checks, const StudySpec& spec) {
  const ResourcesSpec& resources = spec.resources;
  const char* key = resources.gpus > 0 ? "resources.gpus" : "resources.ranks";
  check_has_ranks(checks, spec.trainer, key, "choices of `" + std::string(key) + "` have",
                  "give a number");
  if (resources.elastic) {
    checks.error("E0208", "resources.elastic",
                 "`resources.elastic` has no use beside choices of `" + std::string(key) + "`",
                 "an attempt that follows a loss gets what is free then: leave it out");
  }
  const int widest = resources.widths->widest();
  if (resources.cpus % widest == 0) return;
  checks.error("E0208", "resources.cpus",
               "`resources.cpus` is of the widest trial, and " + std::to_string(resources.cpus) +
                   " CPUs cannot be shared out to its " + std::to_string(widest) + " ranks",
               "make it a multiple of " + std::to_string(widest) + ", or leave it out");
}

void check_ranks(Checks& checks, const StudySpec& spec) {
  const ResourcesSpec& resources = spec.resources;
  const int ranks = resources.world();
  if (ranks > limits::kRanks) {
    checks.error("E0105", "resources.ranks",
                 "`resources.ranks` must be " + std::to_string(limits::kRanks) +
                     " or less, found " + std::to_string(ranks));
  }
  check_has_ranks(checks, spec.trainer, "resources.ranks", "`resources.ranks` has", "leave it out");
  if (resources.cpus < ranks) {
    checks.error("E0208", "resources.cpus",
                 std::to_string(ranks) + " ranks cannot share " + std::to_string(resources.cpus) +
                     " CPU" + (resources.cpus == 1 ? "" : "s"),
                 "raise resources.cpus to " + std::to_string(ranks) + ", or leave it out");
  }
  if (resources.gpus % ranks != 0) {
    checks.error("E0208", "resources.ranks",
                 std::to_string(resources.gpus) + " GPUs cannot be shared out to " +
                     std::to_string(ranks) + " ranks",
                 "make `gpus` a multiple of `ranks`");
  }
  if (resources.elastic && resources.elastic->min > ranks) {
    checks.error("E0208", "resources.elastic.min",
                 "`resources.elastic.min` is more than the " + std::to_string(ranks) + " ranks");
  }
}

void check_resources(Checks& checks, const StudySpec& spec) {
  const ResourcesSpec& resources = spec.resources;
  checks.at_least("resources.cpus", resources.cpus, 1);
  checks.at_least("resources.gpus", resources.gpus, 0);
  checks.at_least("resources.ranks", resources.ranks, 1);
  checks.positive("resources.rank_timeout", std::optional(resources.rank_timeout));
  if (resources.elastic) checks.at_least("resources.elastic.min", resources.elastic->min, 1);
  if (resources.widths) return check_widths(checks, spec);
  if (resources.world() > 1) return check_ranks(checks, spec);
  for (const char* key : {"resources.rank_timeout", "resources.elastic"}) {
    if (!checks.given(key)) continue;
    checks.error("E0208", key, "`" + std::string(key) + "` has no use where a trial has one rank",
                 "set resources.ranks, or leave it out");
  }
}

void check_trials(Checks& checks, const TrialsSpec& trials) {
  checks.at_least("trials.parallel", trials.parallel, 1);
  checks.at_least("trials.max_failed", trials.max_failed, 1);
  checks.at_least("trials.retry.infra", trials.retry.infra, 0);
  checks.at_least("trials.retry.oom", trials.retry.oom, 0);
  checks.at_least("trials.retry.diverged", trials.retry.diverged, 0);
  checks.at_least("trials.retry.timeout", trials.retry.timeout, 0);
  checks.at_least("trials.retry.user", trials.retry.user, 0);
  checks.positive("trials.limits.wall_time", trials.limits.wall_time);
  checks.positive("trials.limits.silence", trials.limits.silence);
}

void check_noise(Checks& checks, const StudySpec& spec) {
  checks.at_least("noise.repeats", spec.noise.repeats, 1);
  if (spec.noise.confirm_best) {
    checks.at_least("noise.confirm_best.top", spec.noise.confirm_best->top, 1);
    checks.at_least("noise.confirm_best.seeds", spec.noise.confirm_best->seeds, 1);
  }
  if (!spec.noise.trains_again() || spec.objectives.size() == 1) return;
  checks.error("E0208", "noise", "with several objectives nothing is trained again",
               "leave `noise` out, or make the other objectives limits under outcome_constraints");
}

bool is_address(const std::string& bind) {
  if (bind.starts_with("ipc://")) return bind.size() > 6;
  constexpr std::string_view kTcp = "tcp://";
  const std::size_t colon = bind.rfind(':');
  return bind.starts_with(kTcp) && colon > kTcp.size() && colon + 1 < bind.size();
}

void check_server(Checks& checks, const ServerSpec& server) {
  if (!is_address(server.bind)) {
    checks.error("E0208", "server.bind", "`server.bind` cannot be `" + server.bind + "`",
                 "write ipc://auto, ipc://PATH or tcp://ADDRESS:PORT");
  }
  if (server.keys && server.keys->empty()) {
    checks.error("E0205", "server.keys", "`server.keys` is empty",
                 "write a folder, or leave the key out for ~/.config/betatune/keys");
  }
  // Without a bind in the file, `betatune run --bind` gives one.
  if (server.keys && checks.given("server.bind") && server.bind.starts_with("ipc://")) {
    checks.error("E0208", "server.keys", "`server.keys` has no use with an ipc address",
                 "only this user can reach it; remove one of them");
  }
  checks.positive("server.lease", server.lease);
}

void check_initial(Checks& checks, const InitialSpec& initial) {
  checks.at_least("algorithm.initial.count", initial.count, 0);
  if (initial.design == "sobol" || initial.design == "random") return;
  const std::string guess = closest(initial.design, {"sobol", "random"});
  checks.error("E0104", "algorithm.initial.design",
               "`algorithm.initial.design` must be sobol or random, found `" + initial.design + "`",
               guess.empty() ? "" : "did you mean `" + guess + "`?");
}

}  // namespace

void check_study(const ConfigNode& root, const StudySpec& spec, Diagnostics& diagnostics) {
  Checks checks(root, diagnostics);
  const ConfigNode* version = root.find("version");
  if (version != nullptr && version->kind() == ConfigNode::Kind::integer &&
      version->text() != "1") {
    checks.error(
        "E0106", "version",
        "this version of betatune reads study files of version 1, found " + version->text());
  }
  check_study_name(checks, spec.study.name);
  for (const ObjectiveSpec& each : spec.objectives) {
    checks.short_text(checks.given("objectives") ? "objectives" : "objective.metric", each.metric);
  }
  check_fidelity(checks, spec.fidelity);
  check_stopping(checks, spec);
  check_trials(checks, spec.trials);
  check_noise(checks, spec);
  check_initial(checks, spec.algorithm.initial);
  check_resources(checks, spec);
  checks.at_least("launcher.trainers", spec.launcher.trainers, 0);
  checks.short_text("launcher.name", spec.launcher.name);
  if (spec.trainer.external.value_or(false) && checks.given("launcher")) {
    checks.error("E0207", "launcher", "`launcher` has no use where `trainer.external` is true",
                 "remove one of them");
  }
  check_server(checks, spec.server);
  checks.at_least("storage.checkpoints.keep", spec.storage.checkpoints.keep, 1);
  checks.at_least("storage.checkpoints.best", spec.storage.checkpoints.best, 1);
  if (checks.given("storage.path") && node_at(root, "storage.path")->text().empty()) {
    checks.error("E0205", "storage.path", "`storage.path` is empty",
                 "write a folder, or leave the key out for runs/NAME");
  }
}

}  // namespace betatune
