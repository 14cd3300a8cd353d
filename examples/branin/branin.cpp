// The Branin function as a trainer: two parameters, x in [-5, 10] and y in [0, 15]; the least loss
// is 0.397887. It shows a whole trainer, steps and checkpoints included, without any library.
//
// trainer.config (all optional):
//   {steps: 1,     length of a full training, the study's fidelity.max; short ones have a worse
//   loss
//    noise: 0.0,   standard deviation of what is added to each report's loss
//    delay_ms: 0}  time that one step takes

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "trainer.hpp"

namespace {

using betatune::plugin::Host;
using betatune::plugin::Verdict;

/// The number after "name": in a flat JSON object, or `otherwise`. A real trainer uses a JSON
/// library.
double number(const std::string& json, const std::string& name, double otherwise) {
  const std::size_t at = json.find('"' + name + '"');
  if (at == std::string::npos) return otherwise;
  const std::size_t colon = json.find(':', at);
  return std::strtod(json.c_str() + colon + 1, nullptr);
}

double branin(double x, double y) {
  constexpr double kPi = 3.14159265358979323846;
  const double a = y - 5.1 / (4 * kPi * kPi) * x * x + 5 / kPi * x - 6;
  return a * a + 10 * (1 - 1 / (8 * kPi)) * std::cos(x) + 10;
}

/// splitmix64: a few lines, the same on every machine, its state is one number to save.
struct Random {
  std::uint64_t state = 0;
  double uniform() {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(6.28318530717958647693 * uniform());
  }
};

class Branin : public betatune::plugin::Trainer {
 public:
  explicit Branin(Host host) : host_(host) {}

  void setup(const betatune_job& job) override {
    const std::string params = job.params_json;
    x_ = number(params, "x", NAN);
    y_ = number(params, "y", NAN);
    if (std::isnan(x_) || std::isnan(y_)) {
      throw std::runtime_error("needs the parameters x and y, got " + params);
    }
    noise_ = number(job.config_json, "noise", 0);
    steps_ = static_cast<int64_t>(number(job.config_json, "steps", 1));
    delay_ =
        std::chrono::milliseconds(static_cast<int64_t>(number(job.config_json, "delay_ms", 0)));
    random_.state = job.seed;
  }

  void train(int64_t until_step) override {
    while (step_ < until_step) {
      ++step_;
      std::this_thread::sleep_for(delay_);
      const double short_by = 1.0 / static_cast<double>(step_) - 1.0 / static_cast<double>(steps_);
      const double noise = noise_ > 0 ? noise_ * random_.normal() : 0.0;
      const double loss = branin(x_, y_) + 20.0 * std::fmax(0.0, short_by) + noise;
      if (host_.report(step_, {{"loss", loss}}) != Verdict::go_on) return;
    }
  }

  void save(const std::string& directory) override {
    std::ofstream file(directory + "/state");
    file << step_ << ' ' << random_.state << '\n';
    if (!file.flush()) throw std::runtime_error("cannot write " + directory + "/state");
  }

  void load(const std::string& directory) override {
    std::ifstream file(directory + "/state");
    if (!(file >> step_ >> random_.state)) {
      throw std::runtime_error("cannot read " + directory + "/state");
    }
  }

 private:
  Host host_;
  double x_ = 0, y_ = 0, noise_ = 0;
  int64_t steps_ = 1, step_ = 0;
  std::chrono::milliseconds delay_{0};
  Random random_;
};

}  // namespace

BETATUNE_TRAINER(Branin, "branin", "1.0");
