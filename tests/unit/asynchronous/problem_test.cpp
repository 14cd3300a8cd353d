#include "trainers/torch/distributed/asynchronous/simulation/problem.hpp"

#include <gtest/gtest.h>

namespace betatune::distributed::asynchronous {
namespace {

/// Parameter: hidden units.
class GradientTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(GradientTest, EqualsFiniteDifferences) {
  ProblemSettings settings;
  settings.train = settings.test = 64;
  settings.hidden = GetParam();
  const DigitsProblem problem(settings);
  Layers parameters = problem.initial(1);
  Layers gradient = zeros(sizes_of(parameters)), unused = gradient;
  problem.loss_and_gradient(parameters, 1, 1, 32, gradient);
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    for (const std::size_t i :
         {std::size_t{0}, parameters[k].size() / 2, parameters[k].size() - 1}) {
      const float keep = parameters[k][i], step = 1e-2f;
      parameters[k][i] = keep + step;
      const double above = problem.loss_and_gradient(parameters, 1, 1, 32, unused);
      parameters[k][i] = keep - step;
      const double below = problem.loss_and_gradient(parameters, 1, 1, 32, unused);
      parameters[k][i] = keep;
      // Central differences are good to step^2; floats to 1e-6 of a loss of 2, over 2e-2.
      EXPECT_NEAR(gradient[k][i], (above - below) / (2 * step), 2e-3) << k << ' ' << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, GradientTest, ::testing::Values(0, 7));

TEST(DigitsProblem, IsLearntByPlainSgd) {
  const DigitsProblem problem({});
  Layers parameters = problem.initial(1), gradient = zeros(sizes_of(parameters));
  EXPECT_GT(problem.test_loss(parameters), 2.0);
  for (std::uint64_t step = 0; step < 400; ++step) {
    problem.loss_and_gradient(parameters, 1, step, 64, gradient);
    for (std::size_t k = 0; k < gradient.size(); ++k) {
      for (std::size_t i = 0; i < gradient[k].size(); ++i)
        parameters[k][i] -= 0.1f * gradient[k][i];
    }
  }
  EXPECT_LT(problem.test_loss(parameters), 1.0);
  EXPECT_GT(problem.test_accuracy(parameters), 0.7);
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
