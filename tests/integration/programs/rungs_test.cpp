/// The rungs of a study, as `betatune status` and `betatune show` tell of them.

#include <fstream>
#include <gmock/gmock.h>
#include <set>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using testing::HasSubstr;
using testing::Not;

class Rungs : public support::UserStudy {
 protected:
  /// Nine trials on one trainer, which reports at each of nine epochs.
  void run(const std::string& scheduler, const std::string& trainer = {}) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 4}\nobjective: {metric: loss}\n"
           "parameters: {x: {type: float, min: -5, max: 10}, y: {type: float, min: 0, max: 15}}\n"
           "fidelity: {name: epoch, max: 9}\nstopping: {trials: 9}\nlauncher: {trainers: 1}\n"
           "trainer: {plugin: branin, config: {steps: 9"
        << trainer << "}}\nalgorithm: {name: random, scheduler: " << scheduler << "}\n";
    const support::Ended ended = type("betatune run study.yaml");
    ASSERT_EQ(ended.status, 0) << ended.err;
  }
  Json rungs() { return json("betatune status demo --json").at("rungs"); }
  /// Of the trial that is `place`th at the rung.
  Json trial_at(std::size_t rung, int place) {
    const int trials = json("betatune status demo --json").at("trials").at("total");
    for (int id = 0; id < trials; ++id) {
      Json shown = json("betatune show demo " + std::to_string(id) + " --json");
      const Json& visits = shown.at("rungs");
      if (rung < visits.size() && visits[rung].at("place") == place) return shown;
    }
    ADD_FAILURE() << "nobody is number " << place;
    return {};
  }
};

TEST_F(Rungs, ShowHowManyWentOnAndWhoStayed) {
  run("asha");

  const Json all = rungs();

  ASSERT_EQ(all.size(), 3u);
  for (const std::size_t rung : {0u, 1u, 2u}) {
    EXPECT_EQ(all[rung].at("step"), std::vector<int>({1, 3, 9})[rung]);
    EXPECT_EQ(all[rung].at("paused"), 0) << "the study is over";
    const int on = all[rung].at("went_on");
    EXPECT_EQ(on, rung == 2 ? 0 : all[rung + 1].at("reached").get<int>());
    EXPECT_EQ(all[rung].at("ended").get<int>() + on, all[rung].at("reached"));
  }
  EXPECT_EQ(all[0].at("reached"), 9);
  EXPECT_EQ(all[0].at("compared"), 9);
  const std::string text = type("betatune status demo").out;
  EXPECT_THAT(text, HasSubstr("rungs       epoch  reached  went on  under way  paused  ended"));
  EXPECT_THAT(text, HasSubstr("\n            9      "));
}

TEST_F(Rungs, AreInATrialsCurve) {
  run("asha");

  const Json best = trial_at(0, 1);
  const std::string text = type("betatune show demo " + best.at("id").dump()).out;
  EXPECT_THAT(text, HasSubstr("-- epoch 1: 1st of 9, went on\n2        2 "))
      << "between the first attempt and the second";
  EXPECT_EQ(best.at("rungs")[0].at("value"), rungs()[0].at("best"));

  const Json worst = trial_at(0, 9);
  EXPECT_EQ(worst.at("rungs").size(), 1u);
  EXPECT_THAT(type("betatune show demo " + worst.at("id").dump()).out,
              HasSubstr("-- epoch 1: 9th of 9, was paused until it was closed\n"));
}

TEST_F(Rungs, AreExplainedAsTheyWereWhenItWasDecided) {
  run("asha");
  const Json best = trial_at(0, 1);
  const std::string id = best.at("id").dump();

  const Json made = json("betatune explain demo " + id + " --json").at("decisions").at("made");

  ASSERT_GE(made.size(), 3u);
  EXPECT_EQ(made[0].at("decision"), "paused");
  EXPECT_EQ(made[0].at("place"), 1);
  EXPECT_EQ(made[1].at("decision"), "went_on");
  EXPECT_EQ(made[1].at("until"), 3);
  EXPECT_EQ(made[1].at("value"), best.at("rungs")[0].at("value"));
  EXPECT_LE(made[1].at("compared"), 9);
  EXPECT_GE(made[1].at("quota"), 1);
  const std::string text = type("betatune explain demo " + id).out;
  EXPECT_THAT(text, HasSubstr("\n  epoch  decision  "));
  EXPECT_THAT(text, HasSubstr("went on to 3  1st of "));

  const Json worst = trial_at(0, 9);
  const Json last =
      json("betatune explain demo " + worst.at("id").dump() + " --json").at("decisions");
  EXPECT_EQ(last.at("made").back().at("decision"), "not_taken");
  EXPECT_EQ(last.at("made").back().at("place"), 9);
  EXPECT_EQ(last.at("made").back().at("quota"), 3);
  EXPECT_EQ(last.at("waiting"), nullptr) << "the study is over";
}

TEST_F(Rungs, AreFollowedByWhatTheCurveIsExpectedToComeTo) {
  run("asha");

  const Json worst = trial_at(0, 9);
  const Json& expected = worst.at("expected");

  ASSERT_EQ(expected.size(), 2u);
  EXPECT_EQ(expected[0].at("step"), 3);
  EXPECT_EQ(expected[1].at("step"), 9);
  for (const Json& each : expected) {
    EXPECT_LT(each.at("low"), each.at("value"));
    EXPECT_GT(each.at("high"), each.at("value"));
    EXPECT_GE(each.at("trials"), 1);
  }
  const std::string text = type("betatune show demo " + worst.at("id").dump()).out;
  EXPECT_THAT(text, HasSubstr("expected  epoch  loss"));
  EXPECT_THAT(text, HasSubstr("\n  ~       3      ~ "));
  const Json full = json("betatune trials demo --state completed --json").at("trials").at(0);
  EXPECT_EQ(json("betatune show demo " + full.at("id").dump() + " --json").at("expected"),
            Json::array())
      << "it was trained to the end";
}

TEST_F(Rungs, OfTrialsThatAreStoppedAtThemSayWhy) {
  run("{name: asha, mode: stop}", ", delay_ms: 100");  // time for the decision to arrive

  EXPECT_EQ(rungs()[0].at("reached"), 9);
  const Json stopped = json("betatune trials demo --state stopped --json").at("trials");
  ASSERT_FALSE(stopped.empty());
  const std::string text = type("betatune show demo " + stopped[0].at("id").dump()).out;
  EXPECT_THAT(text, HasSubstr(": not among the best 1/3 of "));
  EXPECT_THAT(text, HasSubstr(", stopped\n"));
  const std::string why = type("betatune explain demo " + stopped[0].at("id").dump()).out;
  EXPECT_THAT(why, HasSubstr("  stopped  "));
  EXPECT_THAT(why, HasSubstr("  not among the best 1/3 of "));
  std::set<int> to;  // everybody was asked for nine epochs
  const Json cost = json("betatune cost demo --json");
  for (const Json& group : cost.at("groups")) to.insert(group.at("rung").get<int>());
  EXPECT_THAT(to, testing::IsSupersetOf({1, 9}));
  EXPECT_THAT((std::set<int>{1, 3, 9}), testing::IsSupersetOf(to));
}

TEST_F(Rungs, OfBracketsSayThatPlacesAreAmongAll) {
  run("hyperband");

  int reached = 0;
  for (const Json& rung : rungs()) reached += rung.at("reached").get<int>();
  EXPECT_GE(reached, 9);
  EXPECT_THAT(type("betatune show demo 0").out, HasSubstr("places are among the trials of all"));
}

TEST_F(Rungs, AreNoneUnderASchedulerThatHasNone) {
  run("fifo");

  EXPECT_EQ(rungs(), nullptr);
  EXPECT_THAT(type("betatune status demo").out, Not(HasSubstr("rungs")));
  EXPECT_EQ(json("betatune show demo 0 --json").at("rungs"), nullptr);
}

TEST_F(Rungs, AreOthersOnceAChangedFidelityIsAccepted) {
  run("asha");
  std::string yaml = support::file_text(folder_ / "study.yaml");
  for (const auto& [before, after] :
       {std::pair("max: 9}", "max: 27}"), {"trials: 9", "trials: 18"}, {"steps: 9", "steps: 27"}}) {
    yaml.replace(yaml.find(before), std::string(before).size(), after);
  }
  std::ofstream(folder_ / "study.yaml") << yaml;

  const support::Ended refused = type("betatune run study.yaml");

  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("fidelity.max: 9 -> 27"));
  EXPECT_EQ(rungs().size(), 3u);

  const support::Ended accepted = type("betatune run study.yaml --accept-changes");
  ASSERT_EQ(accepted.status, 0) << accepted.err;
  const Json all = rungs();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].at("reached"), 18) << "with those of the shorter trainings";
  EXPECT_GE(all[3].at("reached").get<int>(), 1);
  EXPECT_EQ(json("betatune status demo --json").at("best").at("step"), 27);
}

TEST_F(Rungs, LeaveStepsAndTimeAsTheCostHasThem) {
  run("asha");

  const Json used = json("betatune status demo --json").at("used");
  const Json total = json("betatune cost demo --json").at("total");

  EXPECT_EQ(used.at("steps"), total.at("steps"));
  EXPECT_DOUBLE_EQ(used.at("trainer_hours").get<double>() * 3600,
                   total.at("seconds").get<double>());
  EXPECT_EQ(used.at("gpu_hours"), 0);
}

}  // namespace
}  // namespace betatune
