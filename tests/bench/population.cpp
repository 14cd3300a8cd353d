/// Population-based training whose copies take numbers at random (perturb) or from a model (pb2),
/// beside the same population without copies, on trainings whose best hyper-parameters change on
/// the way. Every side has the same members, which begin with the same configurations and train to
/// the same step. One line per problem, population and slots (with fewer slots than members, more
/// of a population has come to a step when the last ones are compared there): medians over the
/// seeds of the loss of the best member at the end (true, without the noise of reports), the ratio
/// of the geometric means of pb2 to perturb with its 95 % interval over the seeds, and in how many
/// pb2 was better.
///   bench_population [SEEDS]

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <map>
#include <numbers>

#include "tests/support/scheduler_world.hpp"

namespace {

using namespace betatune;
using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;

constexpr double kWorst = 1e6;  ///< where a training has diverged
constexpr double kDiverged = 1e4;

using State = std::vector<double>;

struct Problem {
  std::string name;
  Step steps = 40, interval = 2;
  std::vector<Parameter> parameters;
  State initial;
  /// One step of the study.
  std::function<State(State, const Configuration&, Step)> advance;
  std::function<double(const State&)> loss;
  double report_noise = 0;  ///< relative
};

double number(const Configuration& at, const char* name) {
  return std::get<double>(at.at(name));
}

Parameter log_real(const char* name, double min, double max) {
  return Parameter{name, Real{min, max, Scale::log, {}}, {}, {}};
}

/// Gradient descent on x^2 / 2 with noise in the gradient, in expectation: the best rate falls with
/// the loss.
Problem falling_rate() {
  Problem out{"falling rate", 40, 2, {log_real("lr", 0.003, 1)}, {1}, {}, {}};
  out.advance = [](State state, const Configuration& at, Step) {
    const double rate = number(at, "lr");
    state[0] = (1 - rate) * (1 - rate) * state[0] + rate * rate;
    return state;
  };
  out.loss = [](const State& state) { return state[0]; };
  return out;
}

/// The same, but the optimum jumps away twice, so that a high rate is best again.
Problem jumps() {
  Problem out = falling_rate();
  out.name = "jumping optimum";
  out.advance = [advance = out.advance](State state, const Configuration& at, Step step) {
    if (step == 14 || step == 27) state[0] += 1;
    return advance(std::move(state), at, step);
  };
  return out;
}

/// The noisy quadratic model of Zhang et al. 2019 (arXiv:1907.04164): 20 curvatures 1 / i with
/// gradient noise of that variance, momentum; second moments in expectation, 20 updates a step. Of
/// each curvature: E theta^2, E theta v, E v^2.
Problem noisy_quadratic() {
  constexpr int kCurvatures = 20, kUpdates = 20;
  Problem out{"noisy quadratic",
              40,
              2,
              {log_real("lr", 1e-3, 3), log_real("damping", 0.02, 1)},
              {},
              {},
              {}};
  for (int i = 0; i < kCurvatures; ++i) out.initial.insert(out.initial.end(), {1.0, 0.0, 0.0});
  out.advance = [](State state, const Configuration& at, Step) {
    if (state[0] == kWorst) return state;
    const double lr = number(at, "lr"), m = 1 - number(at, "damping");
    for (int update = 0; update < kUpdates; ++update) {
      for (int i = 0; i < kCurvatures; ++i) {
        double* s = &state[static_cast<std::size_t>(3 * i)];
        const double h = 1.0 / (i + 1), t = s[0], c = s[1], v = s[2];
        const double vv = m * m * v + 2 * m * h * c + h * h * t + h;
        const double tv = m * c + h * t;
        s[0] = t - 2 * lr * tv + lr * lr * vv;
        s[1] = tv - lr * vv;
        s[2] = vv;
        // It would never come back.
        if (!(s[0] < kDiverged)) return State(state.size(), kWorst);
      }
    }
    return state;
  };
  out.loss = [](const State& state) {
    double sum = 0;
    for (int i = 0; i < kCurvatures; ++i) {
      sum += 0.5 / (i + 1) * state[static_cast<std::size_t>(3 * i)];
    }
    return sum;
  };
  return out;
}

/// A gap that closes by up to a quarter each step, by how near three parameters are to a place that
/// wanders: the first falls from end to end, the second comes and goes, the third matters little.
/// Reports have noise of 2 %.
Problem wandering() {
  Problem out{"wandering optimum", 40, 2, {}, {1}, {}, {}, 0.02};
  out.parameters = {log_real("a", 1e-4, 1), log_real("b", 1e-4, 1), log_real("c", 1e-4, 1)};
  out.advance = [](State state, const Configuration& at, Step step) {
    const auto place = [&](const char* name) { return 1 + std::log10(number(at, name)) / 4; };
    const double share = static_cast<double>(step) / 40;
    const double da = place("a") - (0.9 - 0.8 * share);
    const double db = place("b") - (0.5 + 0.35 * std::sin(2 * std::numbers::pi * share));
    const double dc = place("c") - 0.5;
    const double distance = (da * da + db * db) / 0.04 + 0.2 * dc * dc;
    state[0] *= 1 - 0.25 * std::exp(-0.5 * distance);
    return state;
  };
  out.loss = [](const State& state) { return state[0]; };
  return out;
}

/// One study.
class Race {
 public:
  Race(const Problem& problem, int population, int slots, const std::string& explore,
       std::uint64_t seed)
      : problem_(problem),
        seed_(seed),
        spec_(spec_of(problem, population, explore)),
        world_(spec_, shape(explore == "none" ? population : 100'000, slots)) {
    const std::clock_t begin = std::clock();
    world_.run();
    cpu_ms_ = 1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  }
  double best() const {
    double best = kWorst;
    for (const Trial& each : world_.state().trials) {
      if (each.outcome != Outcome::completed) continue;
      best = std::min(best, problem_.loss(states_.at({each.id, problem_.steps})));
    }
    return best;
  }
  std::size_t copies() const {
    const auto& trials = world_.state().trials;
    return static_cast<std::size_t>(
        std::ranges::count_if(trials, [](const Trial& each) { return each.parent.has_value(); }));
  }
  double cpu_ms() const { return cpu_ms_; }

 private:
  static StudySpec spec_of(const Problem& problem, int population, const std::string& explore) {
    StudySpec out = fidelity_spec(1, problem.steps, explore == "none" ? "fifo" : "pbt");
    if (explore != "none") {
      out.algorithm.scheduler.options = ConfigNode::from_json(
          Json{{"population", population}, {"interval", problem.interval}, {"explore", explore}},
          "bench");
    }
    out.space = SearchSpace::make(problem.parameters).value();
    return out;
  }
  WorldShape shape(int trials, int slots) {
    WorldShape out;
    out.trials = trials;
    out.slots = slots;
    out.seed = out.study_seed = seed_;
    out.configuration = [this](TrialId trial) {
      return spec_.space.sample(fold_in(fold_in(root_key(seed_), "begin"), trial.n));
    };
    out.loss = [this](TrialId id, Step step) { return train(id, step); };
    return out;
  }
  double train(TrialId id, Step step) {
    const Trial& trial = world_.state().trials[id];
    const bool copied = trial.parent && trial.parent->step == step - 1;
    State before = problem_.initial;
    if (step > 1) before = states_.at({copied ? trial.parent->trial : id, step - 1});
    const State& now = states_[{id, step}] =
        problem_.advance(std::move(before), *trial.configuration, step);
    Stream noise(fold_in(fold_in(fold_in(root_key(seed_), "noise"), id.n),
                         static_cast<std::uint64_t>(step)));
    return problem_.loss(now) * (1 + problem_.report_noise * noise.normal());
  }

  const Problem& problem_;
  std::uint64_t seed_;
  StudySpec spec_;
  std::map<std::pair<TrialId, Step>, State> states_;
  double cpu_ms_ = 0;
  SchedulerWorld world_;  // last: its shape refers to the others
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

void compare(const Problem& problem, int population, int slots, std::uint64_t seeds) {
  std::map<std::string, std::vector<double>> losses;
  std::vector<double> logs;
  double sum = 0, squares = 0, cpu_ms = 0;
  std::uint64_t better = 0;
  std::size_t copies = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const char* explore : {"none", "perturb", "pb2"}) {
      const Race race(problem, population, slots, explore, seed);
      losses[explore].push_back(race.best());
      if (explore != std::string("pb2")) continue;
      cpu_ms += race.cpu_ms();
      copies += race.copies();
    }
    const double log = std::log(losses["pb2"].back() / losses["perturb"].back());
    sum += log;
    squares += log * log;
    better += log < 0 ? 1 : 0;
  }
  const auto n = static_cast<double>(seeds);
  const double mean = sum / n;
  const double half = 1.96 * std::sqrt(std::max(squares / n - mean * mean, 0.0) / (n - 1));
  fmt::print(
      "{} | {} | {} | {:.3g} | {:.3g} | {:.3g} | {:.2f} [{:.2f}, {:.2f}] | {} of {} | {:.1f}\n",
      problem.name, population, slots, median(losses["none"]), median(losses["perturb"]),
      median(losses["pb2"]), std::exp(mean), std::exp(mean - half), std::exp(mean + half), better,
      seeds, cpu_ms / static_cast<double>(copies));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20;
  fmt::print(
      "problem | population | slots | none | perturb | pb2 | ratio | better | ms per copy\n");
  for (const Problem& problem : {falling_rate(), jumps(), noisy_quadratic(), wandering()}) {
    for (const int population : {4, 8}) {
      for (const int slots : {1, population / 2}) compare(problem, population, slots, seeds);
    }
  }
}
