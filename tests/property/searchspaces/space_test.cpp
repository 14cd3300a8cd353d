#include "searchspaces/space.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/for_all.hpp"
#include "tests/support/spaces.hpp"

namespace betatune {
namespace {

using test::for_all;
using test::random_space;

constexpr std::uint64_t kSpaces = 300;
constexpr std::uint64_t kDraws = 20;

/// Calls `claim` with draws from many spaces.
template <class Claim>
void for_all_draws(std::uint64_t seed, Claim claim) {
  for_all(
      root_key(seed), random_space,
      [&](const SearchSpace& space, Key key) {
        for (std::uint64_t n = 0; n < kDraws; ++n) claim(space, fold_in(key, n));
      },
      kSpaces);
}

bool same_bits(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  if (a.size() != b.size()) return false;
  for (Eigen::Index i = 0; i < a.size(); ++i) {
    if (is_inactive(a[i]) != is_inactive(b[i])) return false;
    if (!is_inactive(a[i]) && a[i] != b[i]) return false;
  }
  return true;
}

Eigen::VectorXd random_point(const SearchSpace& space, Key key) {
  Stream stream(key);
  Eigen::VectorXd point(space.dims());
  for (double& u : point) {
    // Now and then a corner, something outside, or a missing value.
    const std::uint64_t kind = stream.below(10);
    u = kind == 0   ? 0
        : kind == 1 ? 1
        : kind == 2 ? 1.5
        : kind == 3 ? std::nan("")
                    : stream.uniform();
  }
  return point;
}

TEST(SpaceProperty, DrawsPassTheCheck) {
  for_all_draws(1, [](const SearchSpace& space, Key key) {
    const Status status = space.check(space.sample(key));

    EXPECT_TRUE(status) << status.error().message;
  });
}

TEST(SpaceProperty, DecodingAnEncodedDrawGivesItBack) {
  for_all_draws(2, [](const SearchSpace& space, Key key) {
    const Configuration drawn = space.sample(key);

    const Configuration back = space.decode(space.encode(drawn));

    ASSERT_EQ(back.size(), drawn.size());
    for (const auto& [name, value] : drawn) {
      const auto* domain = std::get_if<Real>(&space.find(name)->domain);
      const bool computed = std::holds_alternative<Derived>(space.find(name)->domain);
      if ((domain == nullptr || domain->step || domain->min == domain->max) && !computed) {
        EXPECT_EQ(back.at(name), value) << name;
        continue;
      }
      double before = 0, after = 0;
      ASSERT_TRUE(to_number(value, &before) && to_number(back.at(name), &after));
      // 1e-12 of the size of its range; the sum of two numbers below 2,200 adds their errors.
      const double size = computed                         ? 4'400
                          : domain->scale == Scale::linear ? domain->max - domain->min
                                                           : std::abs(before);
      EXPECT_NEAR(after, before, 1e-12 * size) << name;
    }
  });
}

TEST(SpaceProperty, DecodedPointsHaveTheActiveParametersInTheirDomains) {
  for_all_draws(3, [](const SearchSpace& space, Key key) {
    const Eigen::VectorXd point = random_point(space, key);

    const Configuration decoded = space.decode(point);

    const Status status = space.check(decoded);
    EXPECT_EQ(static_cast<bool>(status), space.feasible(point))
        << (status ? "" : status.error().message);
    EXPECT_EQ(space.satisfies_constraints(decoded), space.feasible(point));
    if (!status) {
      EXPECT_NE(status.error().message.find("constraint is not met"), std::string::npos)
          << status.error().message;
    }
  });
}

TEST(SpaceProperty, EncodingOfADecodedPointIsItsCanonicalForm) {
  for_all_draws(4, [](const SearchSpace& space, Key key) {
    const Eigen::VectorXd point = random_point(space, key);

    const Eigen::VectorXd canonical = space.canonical(point);

    EXPECT_TRUE(same_bits(space.canonical(canonical), canonical));
    EXPECT_EQ(space.decode(canonical), space.decode(point));
    const Eigen::VectorXd encoded = space.encode(space.decode(point));
    for (std::size_t i = 0; i < space.columns().size(); ++i) {
      const auto at = static_cast<Eigen::Index>(i);
      ASSERT_EQ(is_inactive(encoded[at]), is_inactive(canonical[at]));
      if (is_inactive(encoded[at])) continue;
      const bool exact = space.columns()[i].kind != Column::Kind::continuous;
      // A logit near 1 loses digits of 1 - value: 2^-53 / (1 - 0.9999) over a range of nine.
      EXPECT_NEAR(encoded[at], canonical[at], exact ? 0 : 1e-12);
    }
  });
}

TEST(SpaceProperty, SnapIsIdempotentAndStaysAtLevels) {
  for_all_draws(5, [](const SearchSpace& space, Key key) {
    Stream stream(key);
    for (std::size_t i = 0; i < space.columns().size(); ++i) {
      const double u = stream.uniform();
      const Column& column = space.columns()[i];

      const double snapped = space.snap(i, u);

      EXPECT_EQ(space.snap(i, snapped), snapped);
      if (column.kind == Column::Kind::continuous) {
        EXPECT_EQ(snapped, u);
      } else {
        const std::uint64_t k = stream.below(column.levels);
        EXPECT_EQ(space.snap(i, space.level(i, k)), space.level(i, k));
        // No level is nearer than the one that was snapped to, up to rounding at a border.
        EXPECT_LE(std::abs(snapped - u), std::abs(space.level(i, k) - u) + 1e-12);
      }
    }
  });
}

TEST(SpaceProperty, ADrawDependsOnItsKeyAlone) {
  for_all_draws(6, [](const SearchSpace& space, Key key) {
    const Configuration before = space.sample(key);

    for (std::uint64_t n = 0; n < 3; ++n) space.sample(fold_in(key, n));

    EXPECT_EQ(space.sample(key), before);
    EXPECT_EQ(space.decode(space.sample_point(key)), before);
  });
}

TEST(SpaceProperty, CompletingACompleteConfigurationChangesNothing) {
  for_all_draws(7, [](const SearchSpace& space, Key key) {
    const Configuration drawn = space.sample(key);

    const auto complete = space.complete(drawn);

    ASSERT_TRUE(complete) << complete.error().message;
    EXPECT_EQ(complete.value(), drawn);
  });
}

TEST(SpaceProperty, ConfigurationsSurviveJson) {
  for_all_draws(8, [](const SearchSpace& space, Key key) {
    const Configuration drawn = space.sample(key);

    const auto back = configuration_from_json(Json::parse(to_json(drawn).dump()));

    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back.value(), drawn);
  });
}

}  // namespace
}  // namespace betatune
