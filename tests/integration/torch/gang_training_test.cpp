// Ready studies whose trials are gangs, as a user runs them, at a small scale: every strategy.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "tests/support/eventually.hpp"
#include "tests/support/gang_study.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::Ended;
using support::file_text;
using support::Gangs;
using support::ranks_of;
using support::replaced;
using ::testing::HasSubstr;

class ReadyGangStudy : public Gangs, public ::testing::WithParamInterface<std::string> {};

TEST_P(ReadyGangStudy, RunsToItsExactBudget) {
  write(support::small_gang_study("distributed-" + GetParam() + ".yaml", 3));

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err << log(0) << log(1);
  const auto trials = json("betatune trials study.yaml --json").at("trials");
  ASSERT_EQ(trials.size(), 3u);
  double best = 0;
  for (const auto& trial : trials) {
    EXPECT_TRUE(trial.at("outcome") == "completed" || trial.at("outcome") == "stopped") << trial;
    best = std::max(best, trial.at("metrics").at("val_auc").get<double>());
  }
  EXPECT_GT(best, 0.55) << "0.5 is what guessing gives";
  EXPECT_THAT(log(1), HasSubstr("parameters, 2000 training"));
  EXPECT_EQ(type("betatune replay study.yaml --verify").status, 0);
}

std::vector<std::string> ready() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(support::ready_studies())) {
    const std::string stem = entry.path().stem().string();
    constexpr std::string_view kPrefix = "distributed-";
    if (entry.path().extension() == ".yaml" && stem.rfind(kPrefix, 0) == 0) {
      names.push_back(stem.substr(kPrefix.size()));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, ReadyGangStudy, ::testing::ValuesIn(ready()), [](const auto& each) {
  return std::regex_replace(each.param, std::regex("-"), "_");
});

/// The trainers of the engine say how many samples they train in a second, and how long they wait.
TEST_F(Gangs, AreMeasuredByWhatTheTrainerReports) {
  write(support::small_gang_study("distributed-data-parallel.yaml", 3));

  const auto report = json(
      "betatune scaling study.yaml --widths 1,2 --share-cores --json "
      "--target 0.1");

  EXPECT_EQ(report.at("rate"), "samples_per_second");
  EXPECT_EQ(report.at("configuration").at("batch_size"), 200) << "the default";
  const auto& alone = report.at("widths").at(0);
  const auto& two = report.at("widths").at(1);
  EXPECT_GT(alone.at("rate"), 0);
  EXPECT_TRUE(alone.at("communication_share").is_null());
  EXPECT_GT(two.at("communication_share"), 0);
  EXPECT_LT(two.at("communication_share"), 1);
  EXPECT_GT(two.at("seconds_to_target"), 0) << "any AUC is above 0.1";
  const auto loss = [&](const nlohmann::json& width) {
    return json("betatune best " + width.at("folder").get<std::string>() + " --json")
        .at("best")
        .at("metrics")
        .at("train_loss")
        .get<double>();
  };
  EXPECT_NEAR(loss(two), loss(alone), 1e-4) << "the same training, but for rounding";
}

TEST_F(Gangs, TuneTheirCommunicationWithoutChangingWhatIsTrained) {
  std::string text = support::small_gang_study("distributed-data-parallel.yaml", 1);
  text = replaced(text, "train_samples: 2000", "train_samples: 20000");
  text = replaced(text, "name: asha, eta: 3", "name: fifo");
  text = replaced(text, "distributed.compression: .*", "distributed.compression: {value: none}");
  text = replaced(text, "  distributed.compression_rank: .*\n", "");
  // The metrics of each epoch of the one trial.
  const auto epochs = [&](const std::string& settings) {
    write(replaced(text, "distributed: .strategy: data-parallel",
                   "distributed: {strategy: data-parallel" + settings));
    const Ended ran = type("betatune run study.yaml --fresh");
    EXPECT_EQ(ran.status, 0) << ran.err << log(0);
    EXPECT_EQ(type("betatune replay study.yaml --verify").status, 0);
    std::vector<nlohmann::json> metrics;
    const nlohmann::json trial = json("betatune show study.yaml 0 --json");
    for (const auto& report : trial.at("reports")) {
      if (report.at("metrics").contains("val_auc")) metrics.push_back(report.at("metrics"));
    }
    return metrics;
  };

  const auto plain = epochs(""), tuned = epochs(", tune_communication: true, tune_window: 3");

  ASSERT_EQ(plain.size(), 3u);
  ASSERT_EQ(tuned.size(), 3u);
  for (std::size_t i = 0; i < tuned.size(); ++i) {
    for (const char* name : {"train_loss", "val_loss", "val_auc"}) {
      EXPECT_EQ(plain[i].at(name), tuned[i].at(name)) << "the same bits over shared memory";
    }
  }
  const nlohmann::json& last = tuned.back();
  for (const char* name : {"tuned_bucket_mib", "tuned_first_bucket_mib", "tuned_piece_kib"}) {
    ASSERT_TRUE(last.contains(name)) << last;
    EXPECT_GT(last.at(name).get<double>(), 0) << name;
  }
  EXPECT_GE(last.at("tuned_speed_up").get<double>(), 1);
}

TEST_F(Gangs, TrainOverSubMastersWhatTheyTrainWithoutWhereAllGoInStep) {
  std::string text = support::small_gang_study("distributed-synchronous.yaml", 1);
  text = replaced(text, "name: asha, eta: 3", "name: fifo");
  text = replaced(text, "ranks: 2", "ranks: 4");
  const auto last = [&](const std::string& by, const std::string& words) {
    write(replaced(text, "distributed: .strategy: synchronous", "distributed: {" + by));
    const Ended ran = type("betatune run study.yaml --fresh");
    EXPECT_EQ(ran.status, 0) << ran.err << log(0);
    EXPECT_THAT(log(0), HasSubstr(words));
    return json("betatune trials study.yaml --json").at("trials").at(0).at("metrics");
  };

  const auto flat =
      last("strategy: synchronous, servers: 2", "synchronous, 4 rank(s), 2 server(s)\n");
  const auto tree =
      last("strategy: synchronous, servers: 2, sub_masters: 2, sub_master_reduce: mean",
           "synchronous, 4 rank(s), 2 server(s), 2 sub-master(s)\n");
  const auto downpour = last("strategy: downpour, sub_masters: 2",
                             "downpour, 4 rank(s), 1 server(s), 2 sub-master(s)\n");

  for (const char* name : {"train_loss", "val_loss"}) {
    const double wanted = flat.at(name), found = tree.at(name);
    EXPECT_NEAR(found, wanted, 1e-4) << name;
  }
  EXPECT_GT(downpour.at("val_auc").get<double>(), 0.55) << "0.5 is what guessing gives";
}

/// kill -9 of ranks, again and again: each costs its attempt, and the study ends as it should.
TEST_F(Gangs, EndWithTheExactBudgetWhateverRankIsKilled) {
  std::string text = support::small_gang_study("distributed-data-parallel.yaml", 4);
  text = replaced(text, "max_failed: 10", "max_failed: 10, retry: {infra: 1000}");
  text = replaced(text, "train_samples: 2000", "train_samples: 20000");
  write(replaced(text, "every: 30s", "every: 1s"));
  support::ProcessFamily family(folder_.path());
  const pid_t run = start_run(family);

  constexpr std::size_t kKills = 8;
  std::vector<pid_t> killed;
  while (killed.size() < kKills) {
    std::vector<pid_t> ranks;
    const auto fresh = [&] {
      ranks = ranks_of(family);
      std::sort(ranks.begin(), ranks.end());
      return ranks.size() == 2 && std::find(killed.begin(), killed.end(), ranks[0]) == killed.end();
    };
    ASSERT_TRUE(support::eventually(fresh)) << file_text(folder_ / "run.txt");
    const pid_t victim = ranks[killed.size() % 2];
    ::kill(victim, SIGKILL);
    killed.push_back(ranks[0]);
  }

  EXPECT_EQ(support::wait_status(run), 0) << file_text(folder_ / "run.txt");
  const auto trials = json("betatune trials study.yaml --json").at("trials");
  ASSERT_EQ(trials.size(), 4u);
  std::size_t attempts = 0;
  for (const auto& trial : trials) {
    EXPECT_TRUE(trial.at("outcome") == "completed" || trial.at("outcome") == "stopped") << trial;
    attempts += trial.at("attempts").get<std::size_t>();
  }
  EXPECT_GE(attempts, kKills);
  EXPECT_EQ(type("betatune replay study.yaml --verify").status, 0);
}

TEST_F(Gangs, SayWhatIsWrongWithTheirSettings) {
  const std::string text = support::small_gang_study("distributed-gem.yaml", 1);
  const auto says = [&](const std::string& study, const char* what) {
    write(study);
    const Ended ran = type("betatune run study.yaml --fresh");
    EXPECT_THAT(ran.err + ran.out, HasSubstr(what));
  };
  const char* const setting = "distributed: .strategy: gem";
  says(replaced(text, setting, "distributed: {strategy: gme"),
       "distributed setting `strategy` is \"gme\"; it must be one of data-parallel, agn, downpour");
  says(replaced(text, setting, "distributed: {strategy: gem, max_scale: -1"),
       "distributed setting `max_scale` is -1");
  says(replaced(text, setting, "distributed: {strategy: gem, kappa: 1"),
       "given in trainer.config and as a parameter");
  const std::string adam =
      replaced(text, "optimizer:    .value: sgd.", "optimizer:    {value: adamw}");
  says(replaced(adam, "  momentum: .*", ""), "set the parameter `optimizer: sgd`");
  says(replaced(text, "values: .100, 200, 400.", "values: [1]"), "batch");
  says(replaced(text, "ranks: 2", "ranks: 2, cpus: 1"), "2 ranks cannot share 1 CPU");
}

}  // namespace
}  // namespace betatune
