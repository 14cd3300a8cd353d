/// `betatune explain` and `betatune importance`, as a user meets them.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using testing::HasSubstr;

class Explain : public support::UserStudy {
 protected:
  void run(int trials) {
    std::ofstream(folder_ / "train.sh") << support::kReports;
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 4}\n"
           "objective: {metric: loss, goal: maximize}\n"
           "parameters:\n  x: {type: float, min: 0, max: 1, default: 0.5}\n"
           "  idle: {type: float, min: 0, max: 1, default: 0.5}\n"
           "algorithm: {name: gp}\nlauncher: {trainers: 1}\n"
           "trainer: {command: [sh, train.sh]}\nstopping: {trials: "
        << trials << "}\n";
    ASSERT_EQ(type("betatune run study.yaml").status, 0);
  }
};

TEST_F(Explain, TellsOfAModelsChoiceAndOfThoseWithoutOne) {
  run(7);

  const Ended model = type("betatune explain demo 6");
  EXPECT_EQ(model.status, 0) << model.err;
  EXPECT_THAT(model.out, HasSubstr("trial 6 of demo: suggested by gp"));
  EXPECT_THAT(model.out, HasSubstr("log expected improvement"));
  EXPECT_THAT(model.out, HasSubstr("length-scale"));
  EXPECT_THAT(model.out, HasSubstr("6 results, 0 failed, 0 pending"));
  EXPECT_THAT(type("betatune explain demo 0").out, HasSubstr("initial point of the study file"));
  EXPECT_THAT(type("betatune explain demo 1").out, HasSubstr("Sobol sequence"));

  const Json json = this->json("betatune explain demo 6 --json");
  EXPECT_EQ(json.at("origin"), "gp");
  EXPECT_EQ(json.at("known").at("trials"), 6);
  EXPECT_EQ(json.at("model").at("parameters").size(), 2u);
  EXPECT_GE(json.at("model").at("rivals").size(), 1u);
  EXPECT_EQ(this->json("betatune explain demo 1 --json").at("model"), nullptr);
}

TEST_F(Explain, OfATrialThatThereIsNotIsAMistakeOfUse) {
  run(2);

  const Ended ended = type("betatune explain demo 2");

  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.err, "error: demo has no trial 2; its trials are 0 to 1\n");
  EXPECT_EQ(type("betatune explain demo").status, 2);
  EXPECT_EQ(type("betatune explain demo -1").status, 2);
  EXPECT_EQ(type("betatune explain demo one").status, 2);
  EXPECT_EQ(type("betatune explain nothing 0").status, 2);
}

TEST_F(Explain, ImportanceNamesTheParameterThatMattersOrWhatIsMissing) {
  run(3);
  const Ended few = type("betatune importance demo");
  EXPECT_EQ(few.status, 2);
  EXPECT_THAT(few.err, HasSubstr("needs at least 4 finished trials with a result; there are 3"));
  run(12);

  const Json json = this->json("betatune importance demo --json");

  EXPECT_EQ(json.at("results"), 12);
  const Json& first = json.at("parameters").at(0);
  EXPECT_EQ(first.at("name"), "x");
  EXPECT_GT(first.at("main").at("value"), 0.9);
  EXPECT_LT(json.at("parameters").at(1).at("total").at("value"), 0.1);
  const Ended said = type("betatune importance demo");
  EXPECT_THAT(said.out, HasSubstr("by itself"));
  EXPECT_EQ(type("betatune importance demo").out, said.out) << "the same each time";
}

}  // namespace
}  // namespace betatune
