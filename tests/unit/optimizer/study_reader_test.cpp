#include "optimizer/stores/study_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/store.hpp"
#include "optimizer/stores/sqlite_schema.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A study whose facts come at given seconds.
class StudyReaderTest : public testing::Test {
 protected:
  void at(std::int64_t second, Fact fact) {
    log_.push_back(Event{log_.size() + 1, 1'790'000'000'000'000 + second * 1'000'000, fact});
  }
  void attempt(std::uint64_t trial, std::uint64_t number, std::int64_t from, std::int64_t to,
               AttemptEnd end) {
    at(from, AttemptStarted{TrialId{trial}, AttemptId{number}, "t", 0, 9, {}});
    at(to, AttemptEnded{TrialId{trial}, AttemptId{number}, end, 1, {}, "", true});
  }
  void trial(std::uint64_t id) {
    at(0, TrialCreated{TrialId{id}, {{"n", static_cast<std::int64_t>(id)}}, "random", {}, {}});
  }
  /// "trial: seconds of work", in this order.
  std::vector<std::string> work_by(const std::string& sort) {
    {
      auto store = open_sqlite_store(directory_ / "study", OpenMode::optimizer).value();
      EXPECT_TRUE(store->begin_epoch());
      EXPECT_TRUE(store->append(0, log_));
    }
    const auto reader = StudyReader::open(directory_ / "study").value();
    TrialQuery query;
    query.sort = sort;
    std::vector<std::string> found;
    EXPECT_TRUE(reader->trials(query, [&](const TrialRow& row) {
      const std::string seconds = row.work_us ? std::to_string(*row.work_us / 1'000'000) : "none";
      found.push_back(std::to_string(row.id) + ": " + seconds);
      return true;
    }));
    return found;
  }

  support::TemporaryDirectory directory_;
  std::vector<Event> log_;
};

TEST_F(StudyReaderTest, LeavesPausesOutOfATrialsTime) {
  at(0, StudyCreated{kLogSchema, "s", Json::object(), 1, ""});
  at(0, OptimizerStarted{1, ""});
  for (std::uint64_t id = 0; id < 3; ++id) trial(id);
  attempt(0, 1, 10, 14, AttemptEnd::reached);
  attempt(1, 1, 20, 25, AttemptEnd::lost);
  attempt(1, 2, 30, 36, AttemptEnd::reached);
  at(1000, TrialClosed{TrialId{0}, Outcome::stopped, {}});
  at(1000, TrialClosed{TrialId{1}, Outcome::completed, {}});

  EXPECT_THAT(work_by("duration"), ElementsAre("0: 4", "1: 11", "2: none"));
}

TEST_F(StudyReaderTest, HasTheRanksThatWereChosenAndAGpuForEach) {
  const Json document{{"resources", {{"gpus", {{"choices", {1, 2, 4}}}}}}};
  at(0, StudyCreated{kLogSchema, "s", document, 1, ""});
  at(0, OptimizerStarted{1, ""});
  trial(0);
  at(1, AttemptStarted{TrialId{0}, AttemptId{1}, "t", 0, 1, {}, ChosenWidth{1, 4}});
  at(11, AttemptEnded{TrialId{0}, AttemptId{1}, AttemptEnd::reached, 1, {}, "", true});
  at(12, AttemptStarted{TrialId{0}, AttemptId{2}, "t", 0, 9, {}, ChosenWidth{4, 4}});
  at(15, AttemptEnded{TrialId{0}, AttemptId{2}, AttemptEnd::reached, 9, {}, "", true});
  (void)work_by("id");

  const auto reader = StudyReader::open(directory_ / "study").value();
  const auto attempts = reader->attempts(TrialId{0}).value();

  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0].ranks, 1);
  EXPECT_EQ(attempts[0].gpus, 1);
  EXPECT_EQ(attempts[1].ranks, 4);
  EXPECT_EQ(attempts[1].gpus, 4);
  std::vector<std::int64_t> gpu_seconds;
  EXPECT_TRUE(reader->all_attempts([&](const TrialOfAttempt& trial, const AttemptRow& row) {
    EXPECT_EQ(trial.origin, "random");
    gpu_seconds.push_back(row.work_us / 1'000'000 * row.gpus);
    return true;
  }));
  EXPECT_THAT(gpu_seconds, ElementsAre(10, 12));
}

TEST_F(StudyReaderTest, SaysWhatToDoAboutTablesOfAnotherVersion) {
  ASSERT_TRUE(open_sqlite_store(directory_ / "study", OpenMode::optimizer));
  {
    auto database =
        sqlite::Database::open(directory_ / "study/study.db", sqlite::Access::read_write);
    ASSERT_TRUE(database.value().execute("UPDATE meta SET value=1 WHERE key='projection'"));
  }

  const auto reader = StudyReader::open(directory_ / "study");

  ASSERT_FALSE(reader);
  EXPECT_THAT(reader.error().message, HasSubstr("another version of Betatune"));
}

TEST_F(StudyReaderTest, LeavesTheTimeBetweenTwoRunsOutOfATrialsTime) {
  at(0, StudyCreated{kLogSchema, "s", Json::object(), 1, ""});
  at(0, OptimizerStarted{1, ""});
  trial(0);
  at(10, AttemptStarted{TrialId{0}, AttemptId{1}, "t", 0, 9, {}});
  at(13, Reported{TrialId{0}, AttemptId{1}, 1, 1, {}, 0.5, false});
  at(5000, OptimizerStarted{2, ""});
  at(5002, AttemptEnded{TrialId{0}, AttemptId{1}, AttemptEnd::lost, 1, {}, "", false});

  EXPECT_THAT(work_by("id"), ElementsAre("0: 5"));
}

}  // namespace
}  // namespace betatune
