#include "optimizer/gp/improvement_over_draws.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/gp/log_ei.hpp"
#include "tests/support/gradient_check.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

RowMatrix random_points(Eigen::Index n, Eigen::Index d, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix out(n, d);
  for (double& each : out.reshaped()) each = stream.uniform();
  return out;
}

/// A slope along the first feature.
class Slope : public MeanFunction {
 public:
  Eigen::VectorXd value(const RowMatrix& features, RowMatrix* slopes) const override {
    if (slopes != nullptr) {
      *slopes = RowMatrix::Zero(features.rows(), features.cols());
      slopes->row(0).setConstant(1.5);
    }
    return 1.5 * features.row(0).transpose();
  }
};

/// Of `n` results in two dimensions.
GaussianProcess process(Eigen::Index n, double noise, bool with_mean = false) {
  GaussianProcess gp(FeatureMap(std::vector<Column>(2)),
                     {Eigen::VectorXd::Constant(2, 0.4), noise, 1.2});
  if (with_mean) gp.set_mean(std::make_shared<const Slope>());
  gp.append(gp.map().map(random_points(n, 2, 5)));
  Stream stream(root_key(6));
  Eigen::VectorXd y(n);
  for (double& each : y) each = stream.normal();
  gp.set_outputs(y);
  return gp;
}

TEST(ImprovementOverDraws, GradientIsThatOfItsValue) {
  for (const bool with_mean : {false, true}) {
    GaussianProcess gp = process(12, 0.1, with_mean);
    const RowMatrix latent = gp.map().map(random_points(12, 2, 5));
    gp.append_pending(gp.map().map(random_points(3, 2, 8)));
    const ImprovementOverDraws promise(gp, 1, latent, root_key(3));
    const RowMatrix points = random_points(6, 2, 9);
    RowMatrix gradient;
    const Eigen::VectorXd values = promise.value(points, &gradient);
    EXPECT_EQ(values, promise.value(points, nullptr));
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      const auto f = [&](const Eigen::VectorXd& moved) {
        return promise.value(moved.transpose(), nullptr)[0];
      };
      expect_gradient(f, points.row(i).transpose(), gradient.row(i).transpose());
    }
  }
}

TEST(ImprovementOverDraws, ScreeningIsNeverBelowTheExactValue) {
  GaussianProcess gp = process(20, 0.05);
  gp.append_pending(gp.map().map(random_points(4, 2, 8)));
  const ImprovementOverDraws promise(gp, 0, gp.map().map(random_points(20, 2, 5)), root_key(3));
  const RowMatrix points = random_points(300, 2, 10);
  EXPECT_GE((promise.bound(points) - promise.value(points, nullptr)).minCoeff(), -1e-12);
}

TEST(ImprovementOverDraws, IsExpectedImprovementWhereAllIsKnown) {
  const GaussianProcess gp = process(15, 1e-6);
  const double best = gp.fitted().minCoeff();
  const ImprovementOverDraws promise(gp, 0, gp.map().map(random_points(15, 2, 5)), root_key(3));
  const LogExpectedImprovement known(gp, best);
  // Away from the results, whose own noise is all that is left there.
  const RowMatrix points = (0.1 + 0.8 * random_points(20, 2, 11).array()).matrix();
  const Eigen::VectorXd a = promise.value(points, nullptr), b = known.value(points, nullptr);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    if (b[i] < -10) continue;
    EXPECT_NEAR(a[i], b[i], 0.02) << i;
  }
}

/// E_f EI(x | f(pending) = f) by quadrature over f, each time with a process that has seen f.
double by_quadrature(Eigen::Index n, const RowMatrix& pending, const RowMatrix& point,
                     double best) {
  const GaussianProcess before = process(n, 1e-6);
  const Prediction at = before.predict(before.map().map(pending), false);
  const int steps = 400;
  double sum = 0, weight = 0;
  for (int i = 0; i < steps; ++i) {
    const double z = -5 + 10 * (i + 0.5) / steps;
    const double f = at.mean[0] + z * std::sqrt(at.variance[0]);
    GaussianProcess seen = process(n, 1e-6);
    seen.append(seen.map().map(pending));
    Eigen::VectorXd y(n + 1);
    Stream stream(root_key(6));
    for (double& each : y.head(n)) each = stream.normal();
    y[n] = f;
    seen.set_outputs(y);
    const double ei =
        std::exp(LogExpectedImprovement(seen, std::min(best, f)).value(point, nullptr)[0]);
    sum += std::exp(-0.5 * z * z) * ei;
    weight += std::exp(-0.5 * z * z);
  }
  return std::log(sum / weight);
}

TEST(ImprovementOverDraws, AveragesOverWhatOnePendingTrialMayCost) {
  GaussianProcess gp = process(8, 1e-6);
  const double best = gp.fitted().minCoeff();
  const RowMatrix pending = random_points(1, 2, 20);
  gp.append_pending(gp.map().map(pending));
  const ImprovementOverDraws promise(gp, 0, gp.map().map(random_points(8, 2, 5)), root_key(3));
  const RowMatrix points = random_points(8, 2, 21);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const double expected = by_quadrature(8, pending, points.row(i), best);
    if (expected < -8) continue;  // where few draws of the tail decide
    EXPECT_NEAR(promise.value(points.row(i), nullptr)[0], expected, 0.1) << i;
  }
}

TEST(ImprovementOverDraws, LooksForNothingWhereATrialRuns) {
  GaussianProcess gp = process(8, 0.2);
  const RowMatrix pending = random_points(1, 2, 20);
  gp.append_pending(gp.map().map(pending));
  const ImprovementOverDraws promise(gp, 0, gp.map().map(random_points(8, 2, 5)), root_key(3));
  const double there = promise.value(pending, nullptr)[0];
  EXPECT_LT(there, promise.value(random_points(50, 2, 30), nullptr).maxCoeff() - 3);
}

TEST(ImprovementOverDraws, PointsThatStayAtTheirMeansAreNotReached) {
  const GaussianProcess before = process(8, 1e-6);
  const double best = before.fitted().minCoeff();
  GaussianProcess gp = before;
  const RowMatrix results = gp.map().map(random_points(8, 2, 5));
  gp.append_pending(gp.map().map(random_points(1, 2, 20)));
  const ImprovementOverDraws drawn(gp, 0, results, root_key(3)), fixed(gp, 1, results, root_key(3));
  const LogExpectedImprovement plain(gp, best);
  const RowMatrix points = random_points(10, 2, 21);
  const Eigen::VectorXd expected = plain.value(points, nullptr);
  EXPECT_LT((fixed.value(points, nullptr) - expected).cwiseAbs().maxCoeff(), 0.05);
  EXPECT_GT((drawn.value(points, nullptr) - expected).cwiseAbs().maxCoeff(), 0.2);
}

}  // namespace
}  // namespace betatune
