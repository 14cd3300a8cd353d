#include "optimizer/scaling_study.hpp"

#include <algorithm>
#include <limits>

namespace betatune {
namespace {

/// Longer than any training: writing a checkpoint is not what is measured. An interrupt still
/// writes one.
constexpr const char* kNever = "1000h";

Json fidelity_of(const StudySpec& spec, const ScalingPlan& plan) {
  return Json{{"name", spec.fidelity->name},
              {"min", 1},
              {"max", plan.steps},
              {"resumable", spec.fidelity->resumable}};
}

Json resources_of(const StudySpec& spec, const ScalingPlan& plan) {
  Json resources{{"ranks", plan.ranks}, {"cpus", plan.ranks * cpus_per_rank(spec)}};
  if (spec.resources.gpus > 0) resources["gpus"] = plan.ranks * gpus_per_rank(spec);
  const Json::json_pointer timeout("/resources/rank_timeout");
  if (plan.ranks > 1 && spec.document.contains(timeout)) {
    resources["rank_timeout"] = spec.document.at(timeout);
  }
  return resources;
}

}  // namespace

int cpus_per_rank(const StudySpec& spec) {
  return std::max(1, spec.resources.cpus / spec.resources.world());
}

int gpus_per_rank(const StudySpec& spec) {
  return spec.resources.gpus / spec.resources.world();
}

Json scaling_document(const StudySpec& spec, const ScalingPlan& plan) {
  Json document = spec.document;
  for (const char* section : {"objectives", "outcome_constraints", "server", "noise"}) {
    document.erase(section);
  }
  document["study"]["name"] = spec.study.name + "-ranks-" + std::to_string(plan.ranks);
  // Equal for all numbers of ranks, so that they train the same.
  document["study"]["seed"] = spec.study.seed.value_or(0);
  document["objective"] =
      Json{{"metric", spec.objective.metric}, {"goal", to_name(spec.objective.goal)}};
  document["algorithm"] =
      Json{{"name", "random"},
           {"scheduler", "fifo"},
           {"initial", {{"points", Json::array({to_json(plan.configuration)})}}}};
  if (spec.fidelity) document["fidelity"] = fidelity_of(spec, plan);
  // A configuration of defaults alone would be tried before the point.
  for (Json& parameter : document["parameters"]) {
    if (parameter.is_object()) parameter.erase("default");
  }
  document["stopping"] = Json{{"trials", plan.repeats}};
  if (plan.repeats > 1) document["noise"] = Json{{"repeats", plan.repeats}};
  document["trials"]["parallel"] = 1;
  document["trials"]["max_failed"] = 1;
  document["resources"] = resources_of(spec, plan);
  document["launcher"]["trainers"] = 1;
  document["storage"] =
      Json{{"path", plan.folder.string()}, {"checkpoints", {{"keep", 1}, {"every", kNever}}}};
  return document;
}

Configuration without_derived(const SearchSpace& space, Configuration configuration) {
  for (const Parameter& parameter : space.parameters()) {
    if (std::holds_alternative<Derived>(parameter.domain)) configuration.erase(parameter.name);
  }
  return configuration;
}

Result<Configuration> completed(const SearchSpace& space, const Configuration& given) {
  Eigen::VectorXd point = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(space.dims()),
                                                    std::numeric_limits<double>::quiet_NaN());
  // A value outside its domain has no place in the cube; complete() says so.
  if (const auto known = space.try_encode(given)) point = *known;
  Configuration configuration = without_derived(space, space.decode(point));
  for (const auto& [name, value] : given) configuration[name] = value;
  return space.complete(configuration);
}

std::vector<int> doubling_widths(int most) {
  std::vector<int> widths;
  for (int ranks = 1; ranks <= most; ranks *= 2) widths.push_back(ranks);
  return widths;
}

}  // namespace betatune
