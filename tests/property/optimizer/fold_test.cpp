/// The log and its fold, on generated lives of studies.

#include <gtest/gtest.h>
#include <tuple>

#include "optimizer/study_state.hpp"
#include "tests/support/for_all.hpp"
#include "tests/support/study_log.hpp"

namespace betatune {
namespace {

using test::for_all;

std::vector<Event> random_log(Stream& random) {
  support::LogShape shape;
  shape.trials = 1 + static_cast<int>(random.below(30));
  shape.parallel = 1 + static_cast<int>(random.below(6));
  shape.reports = 1 + static_cast<int>(random.below(9));
  shape.seed = random.bits();
  shape.limited = random.below(2) == 0;
  shape.repeated = random.below(2) == 0;
  return support::StudyLife(shape).run();
}

void fold(StudyState& state, std::span<const Event> events) {
  for (const Event& event : events) {
    const Status applied = apply(state, event);
    ASSERT_TRUE(applied) << applied.error().message;
  }
}

TEST(FoldProperty, IsTheSameInOnePieceAndInTwo) {
  for_all(root_key(1), random_log, [](const std::vector<Event>& log, Key key) {
    StudyState whole;
    fold(whole, log);
    const std::size_t cut = Stream(key).below(log.size() + 1);
    StudyState parts;
    fold(parts, std::span(log).first(cut));
    // A snapshot in between must change nothing, and stay what it was.
    const StudyState snapshot = parts;
    const std::uint64_t before = state_hash(snapshot);
    fold(parts, std::span(log).subspan(cut));

    EXPECT_EQ(state_hash(parts), state_hash(whole));
    EXPECT_EQ(state_hash(snapshot), before);
  });
}

TEST(FoldProperty, IsTheSameForFactsThatWereWrittenAndReadBack) {
  for_all(root_key(2), random_log, [](const std::vector<Event>& log) {
    StudyState direct;
    fold(direct, log);
    StudyState through_text;
    for (const Event& event : log) {
      const Json body = Json::parse(encode_fact(event.fact).dump());
      const auto fact = decode_fact(fact_type(event.fact), body);
      ASSERT_TRUE(fact) << fact.error().message;
      EXPECT_EQ(encode_fact(fact.value()), body);
      fold(through_text, std::vector{Event{event.seq, event.at_us, fact.value()}});
    }

    EXPECT_EQ(state_hash(through_text), state_hash(direct));
  });
}

TEST(FoldProperty, RefusesAnEventThatIsMissingOrRepeated) {
  for_all(root_key(3), random_log, [](const std::vector<Event>& log, Key key) {
    const std::size_t at = Stream(key).below(log.size());
    StudyState state;
    fold(state, std::span(log).first(at));
    if (at + 1 < log.size()) {
      EXPECT_FALSE(apply(state, log[at + 1]));
    }
    if (at > 0) {
      EXPECT_FALSE(apply(state, log[at - 1]));
    }
  });
}

TEST(FoldProperty, CountsEveryTrialInExactlyOneState) {
  for_all(root_key(4), random_log, [](const std::vector<Event>& log, Key key) {
    StudyState state;
    fold(state, std::span(log).first(Stream(key).below(log.size() + 1)));

    std::map<TrialState, std::size_t> counts;
    for (const Trial& trial : state.trials) ++counts[trial.state];
    EXPECT_EQ(counts[TrialState::created], state.waiting.size());
    EXPECT_EQ(counts[TrialState::running], state.running.size());
    EXPECT_EQ(counts[TrialState::paused], state.paused.size());
    EXPECT_EQ(static_cast<std::int64_t>(counts[TrialState::closed]), state.closed_count());
  });
}

/// `best` is kept step by step; a look at all trials must find the same.
TEST(FoldProperty, KnowsTheBestTrialAtEveryEvent) {
  for_all(root_key(5), random_log, [](const std::vector<Event>& log) {
    StudyState state;
    for (const Event& event : log) {
      ASSERT_TRUE(apply(state, event));
      const Trial* best = nullptr;
      for (const Trial& trial : state.trials) {
        if (!trial.standing) continue;
        const auto rank = [](const Trial& each) {
          return std::tuple(!each.standing->confirmed, -each.standing->level,
                            each.standing->violation, each.standing->loss);
        };
        if (best == nullptr || rank(trial) < rank(*best)) best = &trial;
      }
      ASSERT_EQ(state.best.has_value(), best != nullptr);
      if (best != nullptr) {
        ASSERT_EQ(*state.best, best->id);
      }
    }
  });
}

}  // namespace
}  // namespace betatune
