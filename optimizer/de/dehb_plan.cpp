#include "optimizer/de/dehb_plan.hpp"

#include <algorithm>
#include <cmath>

#include "configs/read.hpp"

namespace betatune {

DehbPlan::DehbPlan(std::vector<Step> levels, double eta)
    : levels_(std::move(levels)), eta_(eta), populations_(levels_.size(), 1) {
  for (std::size_t number = 0; number < rungs(); ++number) {
    const std::vector<std::size_t> of_rungs = sizes(number);
    const std::size_t lowest = rungs() - of_rungs.size();
    first_.push_back({of_rungs[0], lowest, lowest, of_rungs[0], true});
    for (std::size_t i = 0; i < of_rungs.size(); ++i) {
      const std::size_t rung = lowest + i;
      populations_[rung] = std::max(populations_[rung], of_rungs[i]);
      later_.push_back({of_rungs[i], rung, i == 0 ? rung : rung - 1, of_rungs[i], false});
    }
  }
}

std::vector<std::size_t> DehbPlan::sizes(std::size_t number) const {
  const BracketPlan bracket = hyperband_bracket(number, rungs(), eta_);
  std::vector<std::size_t> out;
  auto trials = static_cast<double>(bracket.trials);
  for (std::size_t rung = bracket.first; rung < rungs(); ++rung, trials /= eta_) {
    out.push_back(std::max<std::size_t>(1, static_cast<std::size_t>(trials + 1e-9)));
  }
  return out;
}

DehbStage DehbPlan::stage(std::size_t i) const {
  return i < first_.size() ? first_[i] : later_[(i - first_.size()) % later_.size()];
}

DehbWalk::DehbWalk(const DehbPlan& plan)
    : plan_(plan), stage_(plan.stage(0)), trained_(plan.rungs()) {}

void DehbWalk::advance() {
  if (!std::exchange(begun_, true)) return;
  if (++place_ < stage_.trials) return;
  trained_[stage_.rung] += stage_.trials;
  if (stage_.promotes) {
    const std::vector<std::size_t> of_rungs = plan_.sizes(number_);
    for (std::size_t i = 1; i < of_rungs.size(); ++i) trained_[stage_.rung + i] += of_rungs[i];
  }
  place_ = 0;
  stage_ = plan_.stage(++number_);
}

std::optional<DehbPlan> dehb_plan(const StudySpec& spec) {
  const PolicySpec& scheduler = spec.algorithm.scheduler;
  if (scheduler.name != "dehb" || !spec.fidelity) return std::nullopt;
  DehbOptions options;
  Diagnostics told_by_its_maker;
  if (!scheduler.options.is_null()) {
    read_config(scheduler.options, Scheduler::kOptionsPath, told_by_its_maker, options);
  }
  if (!(options.eta > 1 && std::isfinite(options.eta))) return std::nullopt;
  return DehbPlan(rung_levels(spec.fidelity->min, spec.fidelity->max, options.eta), options.eta);
}

}  // namespace betatune
