// The quick way to read a stored fact gives what the general way gives, or nothing.

#include "optimizer/stores/fact_text.hpp"

#include <gtest/gtest.h>

#include "tests/support/study_log.hpp"

namespace betatune {
namespace {

std::optional<Fact> general(std::string_view type, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  auto fact = decode_fact(type, json);
  return fact ? std::optional(std::move(fact).value()) : std::nullopt;
}

std::vector<Event> logs() {
  std::vector<Event> all;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto log = support::make_study_log({.trials = 30, .seed = seed});
    all.insert(all.end(), log.begin(), log.end());
  }
  all.push_back({1, 0, ConfigurationEnqueued{{{"on", true}, {"word", std::string("a b")}}}});
  all.push_back(
      {1, 0, TrialCreated{TrialId{3}, {}, "gp", {}, Json{{"ei", {1, 2.5, {{"a", "]"}}}}}}});
  all.push_back({1, 0, TrialCreated{TrialId{4}, {}, "sobol", 2, {}, PlanBasis{9, 32, 5, {}}}});
  all.push_back({1, 0, TrialCreated{TrialId{4}, {}, "sobol", 2, {}, PlanBasis{9, 32, 5, 3}}});
  TrialCreated copy{TrialId{5}, {}, kExploitOrigin, {}, {}};
  copy.parent = Parent{TrialId{2}, 6, TrialId{4}};
  all.push_back({1, 0, copy});
  all.push_back({1, 0, DocumentChanged{Json{{"parameters", {{"lr", {{"min", 1e-5}}}}}}}});
  return all;
}

TEST(FactText, ReadsEveryFactThatWeWrite) {
  for (const Event& event : logs()) {
    const Json json = encode_fact(event.fact);
    const auto fact = read_fact_text(fact_type(event.fact), json.dump());

    ASSERT_TRUE(fact) << json;
    EXPECT_EQ(encode_fact(*fact).dump(), json.dump());
  }
}

TEST(FactText, LeavesTextWithEscapesToTheGeneralWay) {
  const TrialCreated fact{TrialId{1}, {{"path", std::string("a\"b\\c\n")}}, "gp", {}, {}};
  const std::string body = encode_fact(fact).dump();

  EXPECT_FALSE(read_fact_text("trial_created", body));
  EXPECT_TRUE(general("trial_created", body));
}

TEST(FactText, LeavesAZeroWithAnIntegersSignToTheGeneralWay) {
  const std::string of = R"({"attempt":1,"diverged":false,"loss":1.5,"metrics":{"v":-0},"seq":1)";

  EXPECT_FALSE(read_fact_text("reported", of + R"(,"step":1,"trial":1})"));
  EXPECT_TRUE(general("reported", of + R"(,"step":1,"trial":1})"));
}

TEST(FactText, AcceptsNothingThatTheGeneralWayRefusesOrReadsOtherwise) {
  Stream draws(root_key(11));
  constexpr std::string_view kBytes = "{}[],:\"0123456789.-+eEtruefalsn \\x";
  int accepted = 0;
  for (const Event& event : logs()) {
    const std::string_view type = fact_type(event.fact);
    for (int round = 0; round < 20; ++round) {
      std::string body = encode_fact(event.fact).dump();
      const std::size_t at = draws.below(body.size());
      const char byte = kBytes[draws.below(kBytes.size())];
      switch (draws.below(4)) {
        case 0:
          body[at] = byte;
          break;
        case 1:
          body.insert(at, 1, byte);
          break;
        case 2:
          body.erase(at, 1 + draws.below(8));
          break;
        default:
          body.insert(at, body.substr(at / 2, draws.below(20)));
      }
      const auto quick = read_fact_text(type, body);
      if (!quick) continue;
      const auto slow = general(type, body);
      ASSERT_TRUE(slow) << body;
      EXPECT_EQ(encode_fact(*quick).dump(), encode_fact(*slow).dump()) << body;
      ++accepted;
    }
  }
  EXPECT_GT(accepted, 100) << "the mutations are too rough to test anything";
}

}  // namespace
}  // namespace betatune
