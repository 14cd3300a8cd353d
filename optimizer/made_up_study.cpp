#include "optimizer/made_up_study.hpp"

#include <cmath>

#include "optimizer/replay.hpp"
#include "searchspaces/random.hpp"

namespace betatune {
namespace {

constexpr double kSecondsPerStep = 60;
constexpr double kSpread = 0.25;  ///< of the logarithms of times and of what is still to be learned
constexpr double kToLearn = 0.5;

RecordedTrial made_up_trial(Stream random, Step steps) {
  RecordedTrial made;
  const double end = random.uniform();
  const double to_learn = kToLearn * std::exp(kSpread * random.normal());
  made.configuration["x"] = Value(end);
  for (Step step = 1; step <= steps; ++step) {
    made.losses[step] = end + to_learn / static_cast<double>(step + 1);
  }
  made.seconds_per_step = kSecondsPerStep * std::exp(kSpread * random.normal());
  return made;
}

}  // namespace

Result<RecordedStudy> made_up_study(const MadeUpStudy& wanted) {
  const Json document{{"version", 1},
                      {"study", {{"name", "made-up"}, {"seed", wanted.seed}}},
                      {"objective", {{"metric", "loss"}, {"goal", "minimize"}}},
                      {"parameters", {{"x", {{"type", "float"}, {"min", 0}, {"max", 1}}}}},
                      {"fidelity", {{"name", "epoch"}, {"min", 1}, {"max", wanted.steps}}},
                      {"stopping", {{"trials", wanted.trials}}},
                      {"trainer", {{"external", true}}}};
  RecordedStudy study;
  BETATUNE_TRY(study.spec, spec_of_document(document));
  const Key key = fold_in(root_key(wanted.seed), "made-up");
  for (int i = 0; i < wanted.trials; ++i) {
    study.trials.push_back(
        made_up_trial(Stream(fold_in(key, static_cast<std::uint64_t>(i))), wanted.steps));
  }
  return study;
}

}  // namespace betatune
