/// A study whose trainers connect by themselves: they speak the protocol, and betatune-trainer,
/// which needs a plug-in or a command to run, is not one of them.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using testing::HasSubstr;
using testing::Not;

class ExternalStudy : public support::UserStudy {
 protected:
  ExternalStudy() {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 1}\nobjective: {metric: loss}\n"
           "parameters: {x: {type: float, min: 0, max: 1}}\n"
           "stopping: {trials: 2}\ntrainer: {external: true}\n";
    run_ = family_.start(
        {"/bin/sh", "-c", support::as_typed(folder_.path(), "exec betatune run study.yaml")},
        "run.txt");
  }
  std::string endpoint() const {
    return "ipc://" + (folder_ / "runs/demo/socket/optimizer").string();
  }
};

TEST_F(ExternalStudy, NamesItsAddressAndNoProgramThatCannotTrainIt) {
  EXPECT_TRUE(says(endpoint())) << said();

  EXPECT_THAT(said(), HasSubstr("waiting for trainers"));
  EXPECT_THAT(said(), Not(HasSubstr("betatune-trainer")));
}

TEST_F(ExternalStudy, IsToldByBetatuneTrainerThatThereIsNothingToRun) {
  ASSERT_TRUE(says(endpoint())) << said();

  EXPECT_EQ(type("betatune-trainer --connect " + endpoint()).status, 0);

  EXPECT_EQ(wait(), 1) << said();
  EXPECT_THAT(said(), HasSubstr("the study names neither a plug-in nor a command"));
}

}  // namespace
}  // namespace betatune
