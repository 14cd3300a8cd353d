#include "optimizer/gp/hyperparameter_draw.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

constexpr std::size_t kDirections = 16;
constexpr double kWidth = 2;  ///< of the first interval, as a logarithm
constexpr int kStepsOut = 6, kShrinks = 20;

/// A point of a Markov chain over the logarithms, with the log of its density.
class Chain {
 public:
  Chain(const Training& data, const Eigen::VectorXd& y, const Hyperparameters& start)
      : data_(data), y_(y), at_(start.to_logs()), value_(density(at_)) {}

  void step(Eigen::Index j, double lower, double upper, Stream& stream) {
    const double level = value_ + std::log(1 - stream.uniform());
    const double here = at_[j];
    double low = here - kWidth * stream.uniform(), high = low + kWidth;
    const auto inside = [&](double x) { return density(moved(j, x)) > level; };
    // As many steps to each side as chance has it: a fixed number would favour the middle.
    const int down = static_cast<int>(stream.below(kStepsOut + 1)), up = kStepsOut - down;
    for (int i = 0; i < down && low > lower && inside(low); ++i) low -= kWidth;
    for (int i = 0; i < up && high < upper && inside(high); ++i) high += kWidth;
    low = std::max(low, lower);
    high = std::min(high, upper);
    for (int i = 0; i < kShrinks; ++i) {
      const double x = low + (high - low) * stream.uniform();
      const double there = density(moved(j, x));
      if (there > level) {
        at_[j] = x;
        value_ = there;
        return;
      }
      (x < here ? low : high) = x;
    }
  }

  Hyperparameters at() const { return Hyperparameters::from_logs(at_); }

 private:
  Eigen::VectorXd moved(Eigen::Index j, double x) const {
    Eigen::VectorXd out = at_;
    out[j] = x;
    return out;
  }
  /// Of the logarithms: the prior's density is that of the values.
  double density(const Eigen::VectorXd& logs) const {
    const Hyperparameters here = Hyperparameters::from_logs(logs);
    return log_marginal_likelihood(data_, y_, here, nullptr) + log_prior(here, nullptr) +
           logs.sum();
  }

  const Training& data_;
  const Eigen::VectorXd& y_;
  Eigen::VectorXd at_;
  double value_;
};

}  // namespace

Hyperparameters draw_hyperparameters(const Training& data, const Eigen::VectorXd& y,
                                     const Hyperparameters& mode, Key key) {
  Stream stream(key);
  Chain chain(data, y, mode);
  const auto [lower, upper] = hyperparameter_bounds(mode.lengthscales.size());
  std::vector<std::size_t> order = stream.permutation(static_cast<std::size_t>(lower.size()));
  order.resize(std::min(order.size(), kDirections));
  for (const std::size_t each : order) {
    const auto j = static_cast<Eigen::Index>(each);
    chain.step(j, lower[j], upper[j], stream);
  }
  return chain.at();
}

}  // namespace betatune
