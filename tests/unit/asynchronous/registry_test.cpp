#include "trainers/torch/distributed/asynchronous/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure_text.hpp"

namespace betatune::distributed::asynchronous {
namespace {

using support::failure_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string problem(const std::string& json, int workers = 4) {
  return failure_text([&] { read_strategy(json, workers); });
}

TEST(Registry, HasEveryRule) {
  std::vector<std::string> names;
  for (const auto& rule : strategies()) names.push_back(rule.name);
  EXPECT_THAT(names, ::testing::ElementsAre("agn", "downpour", "dynsgd", "easgd", "gem", "hybrid",
                                            "softsync", "synchronous"));
}

TEST(Registry, EveryRuleHasADefaultForEverything) {
  for (const auto& rule : strategies()) {
    const auto configured = read_strategy(R"({"strategy": ")" + rule.name + "\"}", 3);
    EXPECT_NE(configured.strategy->worker(), nullptr) << rule.name;
    EXPECT_NE(configured.strategy->server(2), nullptr) << rule.name;
    EXPECT_FALSE(rule.summary.empty()) << rule.name;
  }
}

TEST(Registry, NamesTheFieldTheValueAndWhatIsAllowed) {
  EXPECT_THAT(problem(R"({"strategy": "gem", "kappa": 200})"),
              AllOf(HasSubstr("distributed setting `kappa`"), HasSubstr("200"),
                    HasSubstr("from 0.0 to 100.0")));
  EXPECT_THAT(problem(R"({"strategy": "downpour", "momentum": -1})"),
              AllOf(HasSubstr("`momentum`"), HasSubstr("-0.99 to 0.9999")));
  EXPECT_THAT(problem(R"({"strategy": "hybrid", "groups": 5})"),
              AllOf(HasSubstr("`groups`"), HasSubstr("from 1 to 4")));
  EXPECT_THAT(
      problem(R"({"strategy": "gme"})"),
      AllOf(HasSubstr("`strategy`"), HasSubstr("\"gme\""), HasSubstr("easgd, gem, hybrid")));
}

TEST(Registry, RefusesAFieldOfAnotherRule) {
  EXPECT_THAT(problem(R"({"strategy": "gem", "kapa": 1})"), HasSubstr("did you mean `kappa`?"));
  EXPECT_THAT(problem(R"({"strategy": "agn", "kappa": 1})"), HasSubstr("unknown"));
  EXPECT_THAT(problem(R"({"strategy": "downpour", "optimizer": "adam", "momentum": 0.5})"),
              HasSubstr("has an effect with optimizer: sgd alone"));
}

TEST(Registry, RefusesAnAlphaThatOvershoots) {
  EXPECT_THAT(problem(R"({"strategy": "easgd", "elastic_force": 4})"),
              AllOf(HasSubstr("elastic_force"), HasSubstr("below 1")));
  EXPECT_THAT(problem(R"({"strategy": "easgd", "rho": 1, "elastic_force": 0.9})"),
              HasSubstr("take one of them"));
}

TEST(Registry, ReadsTheStalenessBoundWhereItCanHaveAnEffect) {
  EXPECT_EQ(read_strategy(R"({"strategy": "gem", "staleness_bound": 3})", 2).staleness_bound, 3u);
  EXPECT_FALSE(read_strategy("{}", 2).staleness_bound.has_value());
  EXPECT_THAT(problem(R"({"strategy": "synchronous", "staleness_bound": 3})"),
              HasSubstr("in step"));
}

TEST(Registry, IdentityTellsSettingsApart) {
  EXPECT_EQ(read_strategy(R"({"lr": 1, "strategy": "gem"})", 2).identity,
            read_strategy(R"({"strategy": "gem", "lr": 1})", 2).identity);
  EXPECT_NE(read_strategy(R"({"strategy": "gem"})", 2).identity,
            read_strategy(R"({"strategy": "gem"})", 3).identity);
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
