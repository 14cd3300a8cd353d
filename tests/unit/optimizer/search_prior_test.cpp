// Beliefs of a person: `prior:` of parameters, in the design, in the model and in what is refused.

#include "optimizer/searchers/search_prior.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

Parameter believed(Parameter parameter, Value center, Confidence confidence) {
  parameter.prior = Prior{std::move(center), confidence};
  return parameter;
}

SearchSpace space_of(std::vector<Parameter> parameters) {
  return SearchSpace::make(std::move(parameters)).value();
}

const std::vector<Value> kKinds = {Value{"a"}, Value{"b"}, Value{"c"}, Value{"d"}};

SearchSpace believed_space() {
  return space_of({believed(real("rate", 1e-4, 1, Scale::log), Value(1e-3), Confidence::medium),
                   believed(choice("kind", kKinds), Value{"c"}, Confidence::high),
                   real("free", 0, 1)});
}

TEST(SearchPrior, IsNothingWhereNoParameterHasOne) {
  EXPECT_FALSE(SearchPrior::of(space_of({real("x", 0, 1)})).has_value());
}

TEST(SearchPrior, DensityOfEveryColumnIntegratesToOne) {
  for (const Confidence confidence : {Confidence::low, Confidence::medium, Confidence::high}) {
    for (const double center : {0.0, 0.02, 0.5, 1.0}) {
      const SearchSpace space = space_of({believed(real("x", 0, 1), Value(center), confidence)});
      const SearchPrior prior = *SearchPrior::of(space);
      double sum = 0;
      constexpr int kSteps = 20'000;
      for (int i = 0; i < kSteps; ++i) {
        const Eigen::RowVectorXd at = Eigen::RowVectorXd::Constant(1, (i + 0.5) / kSteps);
        sum += std::exp(prior.log_density(at, nullptr)) / kSteps;
      }
      EXPECT_NEAR(sum, 1, 1e-6) << "center " << center;
    }
    const SearchSpace words = space_of({believed(choice("k", kKinds), Value{"b"}, confidence)});
    double sum = 0;
    for (const double u : {0.125, 0.375, 0.625, 0.875}) {
      sum += 0.25 * std::exp(SearchPrior::of(words)->log_density(Eigen::RowVectorXd::Constant(1, u),
                                                                 nullptr));
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

TEST(SearchPrior, GradientIsThatOfFiniteDifferences) {
  const SearchSpace space = believed_space();
  const SearchPrior prior = *SearchPrior::of(space);
  const PriorWeight weight(prior, 20);
  RowMatrix points(2, 3);
  points << 0.31, 0.6, 0.2, 0.05, 0.1, 0.9;
  RowMatrix gradient;
  const Eigen::VectorXd values = weight.value(points, &gradient);
  EXPECT_NEAR(values[0], 0.25 * prior.log_density(points.row(0), nullptr), 1e-12);
  constexpr double kStep = 1e-6;
  for (Eigen::Index j = 0; j < points.cols(); ++j) {
    RowMatrix up = points, down = points;
    up.col(j).array() += kStep;
    down.col(j).array() -= kStep;
    const Eigen::VectorXd slope =
        (weight.value(up, nullptr) - weight.value(down, nullptr)) / (2 * kStep);
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      EXPECT_NEAR(gradient(i, j), slope[i], 1e-6) << i << ", " << j;
    }
  }
}

TEST(SearchPrior, DrawsComeFromTheBelief) {
  const SearchSpace space = believed_space();
  const SearchPrior prior = *SearchPrior::of(space);
  Stream stream(root_key(3));
  constexpr int kDraws = 20'000;
  double sum = 0, squares = 0, believed_kind = 0;
  for (int i = 0; i < kDraws; ++i) {
    Eigen::VectorXd u(3);
    for (double& each : u) each = stream.uniform();
    const double free = u[2];
    const Eigen::VectorXd at = prior.shape(u);
    ASSERT_TRUE(at.minCoeff() >= 0 && at.maxCoeff() <= 1);
    EXPECT_EQ(at[2], free);
    sum += at[0] / kDraws;
    squares += at[0] * at[0] / kDraws;
    believed_kind += at[1] == 0.625 ? 1.0 / kDraws : 0.0;
  }
  // A normal about 1/4 with deviation 0.15, cut at 0: mean and variance by numerical integration.
  EXPECT_NEAR(sum, 0.2655, 0.004);
  EXPECT_NEAR(std::sqrt(squares - sum * sum), 0.1378, 0.004);
  EXPECT_NEAR(believed_kind, 20.0 / 23, 0.01);
}

TEST(SearchPrior, InactiveParametersSayNothing) {
  auto depth = believed(when(real("depth", 0, 1), "kind == a"), Value(0.5), Confidence::high);
  const SearchSpace space = space_of({choice("kind", kKinds), depth});
  Eigen::RowVectorXd slope;
  const Eigen::RowVectorXd point = space.encode({{"kind", Value{"b"}}}).transpose();
  EXPECT_EQ(SearchPrior::of(space)->log_density(point, &slope), 0);
  EXPECT_EQ(slope, Eigen::RowVectorXd::Zero(2));
}

TEST(SearchPrior, IsRefusedOutsideTheDomainAndForConstants) {
  const auto outside = SearchSpace::make({believed(real("x", 0, 1), Value(1.5), Confidence::low)});
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().message,
            "`x`: prior: center: expected a number from 0 to 1, got `1.5`");
  const auto constant = SearchSpace::make(
      {believed({"k", Constant{Value(1.0)}}, Value(1.0), Confidence::low), real("x", 0, 1)});
  ASSERT_FALSE(constant);
  EXPECT_EQ(constant.error().message,
            "`k`: a constant or derived parameter has no prior; remove it");
}

TEST(SearchPrior, BelievesInTheMiddleWhereNobodySaysOtherwise) {
  const SearchSpace space = space_of({believed(real("x", 0, 1), Value(0.9), Confidence::high),
                                      real("y", 0, 1), choice("kind", kKinds)});
  const SearchPrior prior = *SearchPrior::with_middle(space);
  const auto density = [&](double x, double y, double kind) {
    return prior.log_density(Eigen::RowVector3d(x, y, kind), nullptr);
  };
  EXPECT_GT(density(0.9, 0.5, 0.1), density(0.5, 0.5, 0.1));
  EXPECT_GT(density(0.9, 0.5, 0.1), density(0.9, 0.05, 0.1) + 0.5);
  EXPECT_EQ(density(0.9, 0.5, 0.1), density(0.9, 0.5, 0.6));
  EXPECT_FALSE(SearchPrior::with_middle(space_of({choice("kind", kKinds)})).has_value());
}

double corner(const Configuration& at) {
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += (1 + i) * number(at, "x" + std::to_string(i));
  return sum;
}

TEST(SearchPrior, TheBeliefInTheMiddleDoesNotHideACorner) {
  HistoryBuilder study(unit_box(4));
  const auto searcher = study.searcher("gp");
  EXPECT_LT(run_study(study, *searcher, corner, 25), 1e-3);
}

class BelievingSearcher : public testing::TestWithParam<const char*> {};

TEST_P(BelievingSearcher, BeginsWhereThePersonBelieves) {
  HistoryBuilder study({believed(real("x", 0, 1), Value(0.9), Confidence::high),
                        believed(choice("kind", kKinds), Value{"d"}, Confidence::high)});
  const auto first = study.searcher(GetParam())->suggest(study.history(), 1, root_key(1)).at(0);
  EXPECT_EQ(first.configuration, (Configuration{{"kind", Value{"d"}}, {"x", Value(0.9)}}));
}
INSTANTIATE_TEST_SUITE_P(Searchers, BelievingSearcher,
                         testing::Values("auto", "gp", "tpe", "de", "evolution"));

class HalfBelieving : public testing::TestWithParam<const char*> {};

TEST_P(HalfBelieving, DrawsEverySecondTrialFromTheBelief) {
  HistoryBuilder study({believed(real("x", 0, 1), Value(0.9), Confidence::high)});
  const auto all = study.searcher(GetParam())->suggest(study.history(), 400, root_key(1));
  int near = 0;
  for (const Suggestion& each : all) near += number(each.configuration, "x") > 0.75 ? 1 : 0;
  // A half of the believed ones and a quarter of the even ones: 250.
  EXPECT_NEAR(near, 250, 20);
}
INSTANTIATE_TEST_SUITE_P(Searchers, HalfBelieving, testing::Values("random", "sobol"));

TEST(SearchPrior, CmaEsBeginsThere) {
  HistoryBuilder study({believed(real("x", 0, 1), Value(0.8), Confidence::high),
                        believed(real("y", 0, 1), Value(0.3), Confidence::high)});
  const auto first = study.searcher("cmaes")->suggest(study.history(), 60, root_key(1));
  double x = 0, y = 0;
  for (const Suggestion& each : first) {
    x += number(each.configuration, "x") / 60;
    y += number(each.configuration, "y") / 60;
  }
  EXPECT_NEAR(x, 0.75, 0.1);  // what would be outside is mirrored
  EXPECT_NEAR(y, 0.33, 0.1);
}

TEST(SearchPrior, AGridRefusesIt) {
  HistoryBuilder study({believed(real("x", 0, 1), Value(0.9), Confidence::high)});
  EXPECT_EQ(study.searcher("grid"), nullptr);
}

double weighted_bowl(const Configuration& at) {
  double sum = 0;
  for (int i = 0; i < 6; ++i) {
    const double x = number(at, "x" + std::to_string(i)) - 0.83;
    sum += x * x * (1 + i);
  }
  return sum;
}

double best_after(HistoryBuilder study, int trials) {
  const auto searcher = study.searcher("gp");
  return run_study(study, *searcher, weighted_bowl, trials);
}

// 6 dimensions, 12 trials: a right belief must help, and a wrong one must be overcome.
TEST(SearchPrior, ARightOneHelpsAndAWrongOneIsOvercome) {
  std::vector<Parameter> right, wrong, none;
  for (int i = 0; i < 6; ++i) {
    const Parameter plain = real("x" + std::to_string(i), 0, 1);
    none.push_back(plain);
    right.push_back(believed(plain, Value(0.8), Confidence::medium));
    wrong.push_back(believed(plain, Value(0.1), Confidence::medium));
  }
  EXPECT_LT(best_after(HistoryBuilder(right), 12), 0.5 * best_after(HistoryBuilder(none), 12));
  // Half the range of every parameter away from it: still found.
  EXPECT_LT(best_after(HistoryBuilder(wrong), 60), 0.05);
}

}  // namespace
}  // namespace betatune
