#include "optimizer/pareto/log_ehvi.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
/// Of the difference of two bounds, in deviations: below it, a step of the integral of Phi.
constexpr double kThin = 1e-6;

/// Of one bound v: log h(z) at z = (v - mean) / deviation, and what its slopes need.
struct AtBound {
  double z = kNever;
  LogImprovement h{kNever, 0, 0};
};

/// log of (E(u - Y)+ - E(l - Y)+), with its slopes by mean and deviation.
struct Factor {
  double log = kNever, by_mean = 0, by_deviation = 0;
};

Factor factor_between(const AtBound& low, const AtBound& high, double deviation) {
  if (low.z == kNever) {
    return {std::log(deviation) + high.h.log_h, -high.h.cdf_over_h / deviation,
            high.h.pdf_over_h / deviation};
  }
  const double width = high.z - low.z;
  if (width < kThin) {
    // h' = Phi, so h(u) - h(l) = width Phi(middle) up to the third order in the width.
    const double middle = low.z + 0.5 * width;
    const double log_cdf = log_ndtr(middle);
    const double ratio = std::exp(-0.5 * middle * middle - 0.918938533204672742 - log_cdf);
    return {std::log(deviation) + std::log(width) + log_cdf, -ratio / deviation,
            -ratio * middle / deviation};
  }
  // h(l) / h(u), below 1.
  const double share = std::exp(low.h.log_h - high.h.log_h);
  const double rest = -std::expm1(low.h.log_h - high.h.log_h);
  return {std::log(deviation) + high.h.log_h + std::log(rest),
          -(high.h.cdf_over_h - share * low.h.cdf_over_h) / rest / deviation,
          (high.h.pdf_over_h - share * low.h.pdf_over_h) / rest / deviation};
}

}  // namespace

LogEhvi::LogEhvi(const Boxes& boxes) : boxes_(static_cast<std::size_t>(boxes.lower.rows())) {
  for (Eigen::Index j = 0; j < boxes.lower.cols(); ++j) {
    Bounds& own = bounds_.emplace_back();
    for (Eigen::Index k = 0; k < boxes.lower.rows(); ++k) {
      own.values.push_back(boxes.lower(k, j));
      own.values.push_back(boxes.upper(k, j));
    }
    std::sort(own.values.begin(), own.values.end());
    own.values.erase(std::unique(own.values.begin(), own.values.end()), own.values.end());
    const auto place = [&](double value) {
      return static_cast<std::size_t>(
          std::lower_bound(own.values.begin(), own.values.end(), value) - own.values.begin());
    };
    for (Eigen::Index k = 0; k < boxes.lower.rows(); ++k) {
      own.low.push_back(place(boxes.lower(k, j)));
      own.high.push_back(place(boxes.upper(k, j)));
    }
  }
}

double LogEhvi::value(const Eigen::VectorXd& means, const Eigen::VectorXd& deviations,
                      Eigen::VectorXd* by_mean, Eigen::VectorXd* by_deviation) const {
  const std::size_t m = bounds_.size();
  std::vector<std::vector<AtBound>> at(m);
  for (std::size_t j = 0; j < m; ++j) {
    const auto column = static_cast<Eigen::Index>(j);
    for (const double bound : bounds_[j].values) {
      AtBound& own = at[j].emplace_back();
      if (bound == kNever) continue;
      own.z = (bound - means[column]) / deviations[column];
      own.h = log_improvement(own.z);
    }
  }
  std::vector<Factor> factors(boxes_ * m);
  std::vector<double> logs(boxes_, 0);
  double largest = kNever;
  for (std::size_t k = 0; k < boxes_; ++k) {
    for (std::size_t j = 0; j < m; ++j) {
      const Factor& factor = factors[k * m + j] =
          factor_between(at[j][bounds_[j].low[k]], at[j][bounds_[j].high[k]],
                         deviations[static_cast<Eigen::Index>(j)]);
      logs[k] += factor.log;
    }
    largest = std::max(largest, logs[k]);
  }
  double sum = 0;
  for (const double log : logs) sum += std::exp(log - largest);
  if (by_mean != nullptr) {
    by_mean->setZero(static_cast<Eigen::Index>(m));
    by_deviation->setZero(static_cast<Eigen::Index>(m));
    for (std::size_t k = 0; k < boxes_; ++k) {
      const double weight = std::exp(logs[k] - largest) / sum;
      if (weight == 0) continue;
      for (std::size_t j = 0; j < m; ++j) {
        (*by_mean)[static_cast<Eigen::Index>(j)] += weight * factors[k * m + j].by_mean;
        (*by_deviation)[static_cast<Eigen::Index>(j)] += weight * factors[k * m + j].by_deviation;
      }
    }
  }
  return largest + std::log(sum);
}

}  // namespace betatune
