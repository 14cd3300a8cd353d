// status, trials, show, best, export, enqueue and stop, as a user starts them, on studies that are
// running, stopped, finished, empty and not there.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/study_spec.hpp"
#include "optimizer/store.hpp"
#include "optimizer/study_state.hpp"
#include "tests/support/study_log.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/user_shell.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::Ended;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kStudy = R"(version: 1
study: {name: demo, seed: 7}
objective: {metric: val_loss, goal: minimize}
parameters:
  lr: {type: float, min: 0, max: 1, default: 0.5}
  layers: {type: int, min: 0, max: 11, default: 3}
  optimizer: {type: categorical, values: [sgd, adamw], default: adamw}
constraints: ["lr * layers <= 9"]
fidelity: {name: epoch, min: 1, max: 3}
stopping: {trials: 12}
trainer: {external: true}
)";

class LookAndSteer : public testing::Test {
 protected:
  LookAndSteer() { std::ofstream(file_) << kStudy; }

  Ended betatune(const std::string& arguments) {
    return support::type(folder_.path(), "betatune " + arguments);
  }
  Json json(const std::string& arguments) {
    const Ended ended = betatune(arguments);
    EXPECT_EQ(ended.status, 0) << ended.err;
    const Json parsed = Json::parse(ended.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << ended.out;
    return parsed;
  }

  /// The first `events` of a generated study, under runs/demo; the store stays open: an optimizer
  /// is at work until release().
  void write_study(std::size_t events = 1'000'000) {
    Diagnostics diagnostics;
    support::LogShape shape;
    shape.trials = 12;
    shape.document = load_study(file_, diagnostics).document;
    ASSERT_TRUE(diagnostics.ok()) << diagnostics.render(false);
    log_ = support::make_study_log(shape);
    std::get<StudyCreated>(log_.front().fact).name = "demo";
    log_.resize(std::min(events, log_.size()));
    store_ = open_sqlite_store(folder_ / "runs/demo", OpenMode::optimizer).value();
    ASSERT_TRUE(store_->begin_epoch());
    ASSERT_TRUE(store_->append(0, log_));
  }
  void release() { store_.reset(); }

  StudyState folded() const {
    StudyState state;
    for (const Event& event : log_) EXPECT_TRUE(apply(state, event));
    return state;
  }

  support::TemporaryDirectory folder_;
  const fs::path file_ = folder_ / "study.yaml";
  std::vector<Event> log_;
  std::unique_ptr<StudyStore> store_;
};

TEST_F(LookAndSteer, FindsAStudyByFileFolderNameAndDatabase) {
  write_study();

  for (const char* study : {"study.yaml", "runs/demo", "demo", "runs/demo/study.db"}) {
    EXPECT_EQ(json(std::string("status --json ") + study).at("study"), "demo") << study;
  }
}

TEST_F(LookAndSteer, SaysWhatToDoAboutAStudyThatIsNotThere) {
  const Ended not_started = betatune("status study.yaml");
  EXPECT_EQ(not_started.status, 5);
  EXPECT_THAT(not_started.err, HasSubstr("betatune run study.yaml"));
  EXPECT_TRUE(not_started.out.empty());

  write_study();
  const Ended misspelt = betatune("status dmeo");
  EXPECT_EQ(misspelt.status, 2);
  EXPECT_THAT(misspelt.err, HasSubstr("did you mean `demo`?"));
}

TEST_F(LookAndSteer, DoesNotMakeUpWhoAskedForTheTrialsOfAnOlderLog) {
  write_study();

  const Ended ended = betatune("cost demo --by user");

  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.err, HasSubstr("does not say who asked for its trials"));
  EXPECT_TRUE(ended.out.empty());
}

TEST_F(LookAndSteer, StillReadsAStudyWhoseFileHasBeenBroken) {
  write_study();
  std::ofstream(file_) << "study: {name: demo}\nparametres: {}\n";

  EXPECT_EQ(betatune("status study.yaml").status, 0);

  std::ofstream(file_) << "study: [1, 2\n";
  const Ended unreadable = betatune("status study.yaml");
  EXPECT_EQ(unreadable.status, 3);
  EXPECT_THAT(unreadable.err, HasSubstr("study.yaml:"));
}

TEST_F(LookAndSteer, ShowsAFinishedStudy) {
  write_study();
  release();
  const StudyState state = folded();

  const Json status = json("status demo --json");
  EXPECT_EQ(status.at("schema"), "betatune.status/1");
  EXPECT_EQ(status.at("state"), "finished");
  EXPECT_EQ(status.at("reason"), "trials");
  EXPECT_EQ(status.at("optimizer_pid"), nullptr);
  EXPECT_EQ(status.at("trials").at("total"), 12);
  EXPECT_EQ(status.at("budget").at("trials"), 12);
  EXPECT_EQ(status.at("trials").at("failed"), state.failed_count());
  EXPECT_EQ(status.at("best").at("id"), state.best->n);
  EXPECT_EQ(status.at("events"), log_.size());
  EXPECT_THAT(betatune("status demo").out, HasSubstr("finished (trials)"));
}

TEST_F(LookAndSteer, ShowsARunningAndAStoppedStudy) {
  write_study(40);
  EXPECT_EQ(json("status demo --json").at("optimizer_pid"), ::getpid());
  EXPECT_EQ(json("status demo --json").at("state"), "running");

  release();

  EXPECT_EQ(json("status demo --json").at("state"), "stopped");
  EXPECT_THAT(betatune("status study.yaml").out, HasSubstr("betatune run study.yaml"));
}

TEST_F(LookAndSteer, ShowsAStudyWithoutAResult) {
  write_study(2);

  EXPECT_EQ(json("best demo --json").at("best"), nullptr);
  EXPECT_EQ(json("trials demo --json").at("trials"), Json::array());
  EXPECT_THAT(betatune("status demo").out, HasSubstr("none yet"));
  const Ended best = betatune("best demo");
  EXPECT_EQ(best.status, 0);
  EXPECT_TRUE(best.out.empty());
  EXPECT_THAT(best.err, HasSubstr("no trial has a result yet"));
  EXPECT_EQ(betatune("show demo 0").status, 2);
  EXPECT_EQ(betatune("export csv demo").out.find("id,state,outcome"), 0u);
}

TEST_F(LookAndSteer, ShowsTheBestTrialAndItsModel) {
  write_study();
  const StudyState state = folded();
  const Trial& best = state.trials[*state.best];

  const Json found = json("best demo --json");

  EXPECT_EQ(found.at("best").at("id"), best.id.n);
  EXPECT_EQ(found.at("best").at("loss"), *best.loss);
  EXPECT_EQ(found.at("best").at("params"), to_json(*best.configuration));
  EXPECT_EQ(found.at("best").at("metrics").at("accuracy"), best.last_metrics.at("accuracy"));
  if (best.checkpoint) {
    EXPECT_EQ(found.at("model"), "runs/demo/" + best.checkpoint->uri);
  }
  EXPECT_THAT(betatune("best demo").out, HasSubstr("accuracy:"));
}

TEST_F(LookAndSteer, ListsTrialsSortedFilteredAndLimited) {
  write_study();

  const Json by_loss = json("trials demo --sort loss --limit 4 --json").at("trials");
  ASSERT_EQ(by_loss.size(), 4u);
  for (std::size_t i = 1; i < by_loss.size(); ++i) {
    EXPECT_LE(by_loss[i - 1].at("loss"), by_loss[i].at("loss"));
  }
  const Json by_lr = json("trials demo --sort lr --reverse --json").at("trials");
  for (std::size_t i = 1; i < by_lr.size(); ++i) {
    EXPECT_GE(by_lr[i - 1].at("params").at("lr"), by_lr[i].at("params").at("lr"));
  }
  const Json completed = json("trials demo --state completed --json").at("trials");
  for (const Json& trial : completed) {
    EXPECT_EQ(trial.at("outcome"), "completed");
  }
  const Ended wrong = betatune("trials demo --sort lerning");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--sort lerning"));
  EXPECT_EQ(betatune("trials demo --state done").status, 2);
}

TEST_F(LookAndSteer, ShowsOneTrial) {
  write_study();
  const StudyState state = folded();
  const Trial& best = state.trials[*state.best];

  const Json shown = json("show demo " + std::to_string(best.id.n) + " --json");

  EXPECT_EQ(shown.at("schema"), "betatune.show/1");
  EXPECT_EQ(shown.at("attempt_list").size(), best.attempt.n);
  EXPECT_GE(shown.at("reports").size(), best.observations.size());
  EXPECT_THAT(betatune("show demo 0").out, HasSubstr("trial 0 of demo"));
  const Ended beyond = betatune("show demo 12");
  EXPECT_EQ(beyond.status, 2);
  EXPECT_THAT(beyond.err, HasSubstr("0 to 11"));
}

TEST_F(LookAndSteer, ExportsEveryTrialAndObservation) {
  write_study();
  std::size_t reports = 0;
  for (const Event& event : log_) reports += std::holds_alternative<Reported>(event.fact) ? 1u : 0u;
  const auto lines = [](const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  };

  const std::string csv = betatune("export csv demo").out;
  EXPECT_EQ(lines(csv), 13u);
  EXPECT_THAT(csv, HasSubstr("params.lr"));
  EXPECT_THAT(csv, HasSubstr("metrics.val_loss"));
  const std::string jsonl = betatune("export jsonl demo").out;
  EXPECT_EQ(lines(jsonl), 12u);
  EXPECT_FALSE(Json::parse(jsonl.substr(0, jsonl.find('\n')), nullptr, false).is_discarded());
  EXPECT_EQ(lines(betatune("export csv demo --observations").out), 1 + 2 * reports);
  EXPECT_EQ(lines(betatune("export jsonl demo --observations").out), reports);
}

TEST_F(LookAndSteer, EnqueuesAConfigurationCompletedWithDefaults) {
  write_study(40);

  const Json answer = json("enqueue study.yaml -p lr=0.25 -p optimizer=sgd --json");

  EXPECT_EQ(answer.at("params"), (Json{{"lr", 0.25}, {"layers", 3}, {"optimizer", "sgd"}}));
  const auto requests = store_->requests().value();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].kind, "enqueue");
  EXPECT_EQ(requests[0].body.at("params"), answer.at("params"));
  EXPECT_EQ(betatune("enqueue demo --params '{\"lr\": 0.75}'").status, 0);
  EXPECT_EQ(store_->requests().value().size(), 2u);
}

TEST_F(LookAndSteer, RefusesAConfigurationThatIsNotInTheSpace) {
  write_study(40);
  const std::array<std::pair<const char*, const char*>, 6> bad{{
      {"-p lr=2", "lr"},
      {"-p lerning=1", "lerning"},
      {"-p optimizer=lamb", "optimizer"},
      {"-p lr", "NAME=VALUE"},
      {"--params '[1]'", "JSON object"},
      {"-p lr=1 -p layers=10", "lr * layers <= 9"},
  }};

  for (const auto& [arguments, expected] : bad) {
    const Ended ended = betatune(std::string("enqueue demo ") + arguments);
    EXPECT_EQ(ended.status, 2) << arguments;
    EXPECT_THAT(ended.err, HasSubstr(expected)) << arguments;
  }
  EXPECT_TRUE(store_->requests().value().empty());
}

TEST_F(LookAndSteer, SaysThatAnEnqueuedConfigurationOfAFinishedStudyWaitsForABudget) {
  write_study();
  release();

  EXPECT_THAT(betatune("enqueue demo -p lr=0.1").err, HasSubstr("raise its budget"));
}

TEST_F(LookAndSteer, AsksARunningStudyToStop) {
  write_study(40);

  const Ended ended = betatune("stop demo");

  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, HasSubstr(std::to_string(::getpid())));
  ASSERT_EQ(store_->requests().value().size(), 1u);
  EXPECT_EQ(store_->requests().value()[0].kind, "drain");
}

TEST_F(LookAndSteer, LeavesNoDrainBehindForTheNextStart) {
  write_study(40);
  release();

  const Ended ended = betatune("stop demo");

  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, HasSubstr("nothing to stop"));
  auto store = open_sqlite_store(folder_ / "runs/demo", OpenMode::read_only);
  EXPECT_TRUE(store.value()->requests().value().empty());
}

TEST_F(LookAndSteer, AsksOneTrialToStop) {
  write_study(8);
  const StudyState state = folded();
  ASSERT_FALSE(state.running.empty());
  const std::string trial = std::to_string(state.running.begin()->n);

  EXPECT_EQ(betatune("stop demo " + trial).status, 0);
  EXPECT_EQ(betatune("stop demo 99").status, 2);

  ASSERT_EQ(store_->requests().value().size(), 1u);
  EXPECT_EQ(store_->requests().value()[0].body.at("trial"), state.running.begin()->n);
}

TEST_F(LookAndSteer, SaysWhatIsWrongWithAStore) {
  write_study();
  release();
  std::ofstream(folder_ / "runs/demo/study.db") << "garbage that is not a database at all";

  for (const char* command : {"status", "best", "trials", "export csv"}) {
    const Ended ended = betatune(std::string(command) + " demo");
    EXPECT_EQ(ended.status, 5) << command;
    EXPECT_THAT(ended.err, HasSubstr("not a Betatune study")) << command;
  }
}

TEST_F(LookAndSteer, HelpsWithExamplesAndRefusesUnknownWords) {
  for (const char* command : {"status", "best", "trials", "show", "export", "enqueue", "stop"}) {
    const Ended help = betatune(std::string(command) + " --help");
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr(std::string("  betatune ") + command)) << command;
    EXPECT_EQ(betatune(std::string(command) + " demo --no-such-option").status, 2);
  }
  EXPECT_EQ(betatune("").status, 2);
  EXPECT_EQ(betatune("frobnicate").status, 2);
  EXPECT_THAT(betatune("version").out, HasSubstr("betatune "));
  EXPECT_EQ(json("version --json").at("schema"), "betatune.version/1");
  EXPECT_THAT(betatune("--help").out, Not(HasSubstr("--sort loss")));
}

}  // namespace
}  // namespace betatune
