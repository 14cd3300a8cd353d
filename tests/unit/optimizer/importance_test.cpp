/// Importance on functions whose shares of variance are known.

#include "optimizer/importance.hpp"

#include <cmath>
#include <gmock/gmock.h>

#include "optimizer/gp/gaussian_process.hpp"
#include "optimizer/gp/posterior_samples.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;
using ::testing::HasSubstr;

double at(const Configuration& point, const char* name) {
  return std::get<double>(point.at(name));
}

/// `count` results at points spread evenly over the space.
void fill(HistoryBuilder& study, int count,
          const std::function<double(const Configuration&)>& loss) {
  const auto sobol = study.searcher("sobol");
  for (const Suggestion& each : sobol->suggest(study.history(), count, root_key(5))) {
    study.add_result(each.configuration, "sobol", loss(each.configuration));
  }
}

Importance measured(const HistoryBuilder& study) {
  auto found = importance(study.history());
  EXPECT_TRUE(found) << (found ? "" : found.error().message);
  return found ? std::move(found).value() : Importance{};
}

const ParameterImportance& of(const Importance& all, const std::string& name) {
  for (const ParameterImportance& each : all.parameters) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << "no parameter " << name;
  return all.parameters.front();
}

TEST(Importance, FindsTheOneParameterThatMatters) {
  HistoryBuilder study({real("idle", 0, 1), real("lr", 1e-4, 1, Scale::log)});
  fill(study, 40, [](const auto& p) { return std::pow(std::log10(at(p, "lr")) + 1.5, 2); });

  const Importance all = measured(study);

  EXPECT_EQ(all.results, 40);
  EXPECT_EQ(all.parameters.front().name, "lr") << "the most important comes first";
  EXPECT_GT(of(all, "lr").main.value, 0.95);
  EXPECT_LT(of(all, "idle").total.value, 0.02);
  EXPECT_LT(of(all, "idle").total.high, 0.1);
  EXPECT_GT(of(all, "lr").inverse_lengthscale, 5 * of(all, "idle").inverse_lengthscale);
}

TEST(Importance, TellsAnInteractionFromWhatAParameterDoesByItself) {
  HistoryBuilder study({real("x", 0, 1), real("y", 0, 1), real("z", 0, 1), real("w", 0, 1)});
  fill(study, 120,
       [](const auto& p) { return at(p, "x") + 4 * (at(p, "y") - 0.5) * (at(p, "z") - 0.5); });

  const Importance all = measured(study);

  // Variances: x 1/12, the product 16/144. The losses are bent before they are modelled, so that
  // shares are near these and not equal to them.
  constexpr double kNear = 0.08;
  EXPECT_NEAR(of(all, "x").main.value, 0.43, kNear);
  EXPECT_NEAR(of(all, "x").total.value, 0.43, kNear);
  for (const char* name : {"y", "z"}) {
    EXPECT_LT(of(all, name).main.value, 0.05) << name;
    EXPECT_NEAR(of(all, name).total.value, 0.57, kNear) << name;
  }
  EXPECT_LT(of(all, "w").total.value, 0.03);
}

TEST(Importance, OfAConditionalParameterIsMeasuredWhereItIsActive) {
  HistoryBuilder study({choice("kind", {Value{"a"}, Value{"b"}, Value{"c"}, Value{"d"}}),
                        when(real("depth", 0, 1), "kind == a"),
                        when(real("width", 0, 1), "kind != a")});
  fill(study, 80, [](const auto& p) {
    return p.contains("depth") ? std::sin(5 * at(p, "depth")) : 0.1 * at(p, "width");
  });

  const Importance all = measured(study);

  EXPECT_NEAR(of(all, "depth").active, 0.25, 0.05);
  EXPECT_NEAR(of(all, "width").active, 0.75, 0.05);
  EXPECT_DOUBLE_EQ(of(all, "kind").active, 1);
  EXPECT_GT(of(all, "depth").main.value, 0.9) << "nothing else varies where it is active";
  EXPECT_GT(of(all, "kind").total.value, 0.2);
}

TEST(Importance, HasErrorBarsThatShrinkWithResultsAndHoldTheValue) {
  const auto loss = [](const Configuration& p) {
    return at(p, "x") + std::pow(at(p, "y") - 0.4, 2);
  };
  HistoryBuilder few({real("x", 0, 1), real("y", 0, 1)}), many = few;
  fill(few, 6, loss);
  fill(many, 60, loss);

  const Importance little = measured(few), much = measured(many);

  for (const Importance& each : {little, much}) {
    for (const ParameterImportance& parameter : each.parameters) {
      EXPECT_LE(parameter.main.low, parameter.main.value);
      EXPECT_LE(parameter.main.value, parameter.main.high);
      EXPECT_LE(parameter.total.low, parameter.total.value);
      EXPECT_LE(parameter.total.value, parameter.total.high);
    }
  }
  const auto width = [](const Share& share) { return share.high - share.low; };
  EXPECT_LT(width(of(much, "x").total), width(of(little, "x").total));
  EXPECT_LT(width(of(much, "x").total), 0.1);
}

TEST(Importance, IsTheSameEachTimeAndHoldsTheConstraints) {
  HistoryBuilder study({integer("layers", 1, 40), real("rate", 0, 1)}, {"layers * rate <= 8"});
  fill(study, 30, [](const auto& p) {
    return static_cast<double>(std::get<std::int64_t>(p.at("layers"))) * at(p, "rate");
  });

  const Importance a = measured(study), b = measured(study);

  ASSERT_EQ(a.parameters.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(a.parameters[i].name, b.parameters[i].name);
    EXPECT_EQ(a.parameters[i].main.value, b.parameters[i].main.value);
    EXPECT_EQ(a.parameters[i].total.high, b.parameters[i].total.high);
  }
}

TEST(Importance, SaysWhatIsMissing) {
  HistoryBuilder study({real("x", 0, 1)});
  fill(study, 3, [](const auto& p) { return at(p, "x"); });
  const auto few = importance(study.history());
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().kind, ErrorKind::invalid_argument);
  EXPECT_THAT(few.error().message, HasSubstr("there are 3"));

  EXPECT_FALSE(importance(HistoryBuilder({}).history()));
}

TEST(Importance, OfEqualLossesIsNothing) {
  HistoryBuilder study({real("x", 0, 1)});
  fill(study, 8, [](const auto&) { return 0.5; });

  EXPECT_EQ(measured(study).parameters.front().total.value, 0);
}

TEST(PosteriorSamples, HaveTheMeanAndTheDeviationOfTheProcess) {
  const SearchSpace space =
      HistoryBuilder({real("x", 0, 1), choice("k", {Value{"a"}, Value{"b"}, Value{"c"}}),
                      when(real("y", 0, 1), "k == a")})
          .space();
  const FeatureMap map(space.columns());
  RowMatrix points(8, 3), others(12, 3);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    points.row(i) = space.sample_point(fold_in(root_key(1), static_cast<std::uint64_t>(i)));
  }
  for (Eigen::Index i = 0; i < others.rows(); ++i) {
    others.row(i) = space.sample_point(fold_in(root_key(2), static_cast<std::uint64_t>(i)));
  }
  const Eigen::VectorXd y = points.col(0).array().sin().matrix();
  Hyperparameters at = Hyperparameters::prior_mode(3);
  at.lengthscales.setConstant(0.7);
  at.noise = 0.01;
  GaussianProcess gp(map, at);
  gp.append(map.map(points));
  gp.set_outputs(y);
  const Prediction exact = gp.predict(map.map(others), false);
  PosteriorSamples samples(map, space.columns(), at, points, y);
  constexpr int kDraws = 1000;

  samples.draw(kDraws, root_key(3));
  const RowMatrix drawn = samples.at(others);

  for (Eigen::Index i = 0; i < others.rows(); ++i) {
    EXPECT_NEAR(drawn(i, 0), exact.mean[i], 1e-9);
    const Eigen::ArrayXd values = drawn.row(i).tail(kDraws).transpose().array();
    const double deviation = std::sqrt((values - values.mean()).square().mean());
    const double expected = std::sqrt(exact.variance[i]);
    // The features approximate the prior to a few percent, and so many draws the posterior.
    EXPECT_NEAR(values.mean(), exact.mean[i], 0.2 * expected + 0.02) << i;
    EXPECT_NEAR(deviation, expected, 0.2 * expected + 0.02) << i;
  }
}

}  // namespace
}  // namespace betatune
