// The least C++ trainer: the loss is (x - 3)^2 / step.

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include "trainer.hpp"

class Quadratic : public betatune::plugin::Trainer {
 public:
  explicit Quadratic(betatune::plugin::Host host) : host_(host) {}

  void setup(const betatune_job& job) override {
    const std::string params = job.params_json;  // {"x": 1.5}
    const std::size_t at = params.find("\"x\":");
    if (at == std::string::npos) throw std::runtime_error("needs the parameter x, got " + params);
    x_ = std::strtod(params.c_str() + at + 4, nullptr);
  }

  void train(int64_t until_step) override {
    while (step_ < until_step) {
      ++step_;
      const double loss = (x_ - 3) * (x_ - 3) / static_cast<double>(step_);
      if (host_.report(step_, {{"loss", loss}}) != betatune::plugin::Verdict::go_on) return;
    }
  }

  void save(const std::string& directory) override {
    std::ofstream file(directory + "/step");
    if (!(file << step_ << std::flush)) throw std::runtime_error("cannot write " + directory);
  }
  void load(const std::string& directory) override {
    std::ifstream file(directory + "/step");
    if (!(file >> step_)) throw std::runtime_error("cannot read " + directory);
  }

 private:
  betatune::plugin::Host host_;
  double x_ = 0;
  int64_t step_ = 0;
};

BETATUNE_TRAINER(Quadratic, "quadratic", "1.0");
