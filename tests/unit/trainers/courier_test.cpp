/// An attempt on a machine that does not see the study's folder: what its worker gets, and when the
/// agent hears of what it made.

#include "trainers/courier.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/attempt_folder.hpp"
#include "trainers/checkpoint.hpp"
#include "transport/folder_exchange.hpp"
#include "transport/folder_mark.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr WorkKey kKey{TrialId{0}, AttemptId{2}};

/// Writes down what goes through it, in words; its optimizer answers at once unless it is away.
class Travels : public ::testing::Test {
 protected:
  Travels() : mark_(renew_folder_mark(study_.path()).value()) {}

  Courier make(bool always = true) {
    return Courier({own_.path(), always},
                   {[this](const Message& message) { sent_.push_back(message); },
                    [this](const WorkKey&, const Assign& assign) {
                      started_ = assign;
                      happened_.emplace_back("start");
                    },
                    [this](const WorkKey&, Action action) {
                      happened_.push_back(std::string("tell ") + to_name(action));
                    },
                    [this](const WorkKey&) { happened_.emplace_back("end"); },
                    [this](const WorkKey&, const WorkerMessage& said) { note(said); },
                    [this](const WorkKey&, const WorkFate& fate) { note(fate); },
                    [](const WorkKey&, bool) {}});
  }
  void note(const WorkerMessage& said) {
    if (const auto* report = std::get_if<WorkerReport>(&said)) {
      happened_.push_back(report->checkpoint ? "checkpoint " + report->checkpoint->uri : "metrics");
    } else {
      happened_.push_back(std::string("said ") + to_name(std::get<WorkerEnd>(said).end) + " " +
                          std::get<WorkerEnd>(said).message);
    }
  }
  void note(const WorkFate& fate) {
    const auto* failure = std::get_if<AttemptFailure>(&fate);
    happened_.push_back(failure == nullptr ? "over"
                                           : std::string("failed ") + to_name(failure->kind));
  }

  Assign assign() const {
    Assign out;
    out.trial = kKey.trial;
    out.attempt = kKey.attempt;
    out.job.study_dir = study_.path().string();
    out.job.directory = "/nowhere/at/all";
    out.job.folder_mark = mark_;
    return out;
  }
  /// One that the study's folder holds.
  Assign from_checkpoint() const {
    CheckpointFolder folder(study_.path(), kKey.trial, AttemptId{1});
    std::ofstream(folder.begin().value() / "model") << "weights";
    Assign out = assign();
    out.resume_from = folder.publish(3).value();
    out.from = 3;
    return out;
  }
  /// A worker saves a checkpoint at step 4 where it was told to.
  ArtifactRef save() const {
    CheckpointFolder folder(started_.job.study_dir, kKey.trial, kKey.attempt);
    std::ofstream(folder.begin().value() / "model") << "heavier";
    return folder.publish(4).value();
  }
  /// Until nothing is said any more.
  void talk(Courier& courier) {
    courier.tick(true, Milliseconds(0));
    while (!sent_.empty()) {
      answer(courier);
      courier.tick(true, Milliseconds(0));
    }
  }
  /// What was said, as the optimizer would.
  void answer(Courier& courier) {
    for (const Message& each : std::exchange(sent_, {})) {
      if (const auto* put = std::get_if<PutFile>(&each)) {
        if (const auto stored = optimizer_.put(*put)) courier.received(*stored, Milliseconds(0));
        continue;
      }
      FileData data = optimizer_.get(std::get<GetFile>(each));
      if (data.path == "model" && damage_next_ > 0) {
        --damage_next_;
        data.bytes[0] = 'X';
      }
      courier.received(data, Milliseconds(0));
    }
  }
  std::vector<std::string> happened() { return std::exchange(happened_, {}); }

  support::TemporaryDirectory study_, own_;
  std::string mark_;
  FolderExchange optimizer_{study_.path()};
  std::vector<Message> sent_;
  int damage_next_ = 0;  ///< so many DATA of the model are damaged on the way
  std::vector<std::string> happened_;
  Assign started_;
};

TEST_F(Travels, NothingWhereTheStudysFolderIsSeen) {
  Courier courier = make(false);
  courier.start(kKey, assign());
  courier.said(kKey, WorkerReport{1, {{"loss", 1}}, ArtifactRef{"checkpoints/x", 1}});
  courier.over(kKey, ProcessEnd{});

  EXPECT_EQ(started_.job.study_dir, study_.path());
  EXPECT_THAT(happened(), ElementsAre("start", "checkpoint checkpoints/x", "over"));
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(Travels, WhereTheFolderOfThisNameIsAnotherOne) {
  mark_ = "of another start";
  Courier courier = make(false);
  courier.start(kKey, assign());

  EXPECT_NE(started_.job.study_dir, study_.path());
  EXPECT_EQ(started_.job.directory, started_.job.study_dir) << "the study file's is not here";
}

TEST_F(Travels, AWorkerBeginsWhenItsCheckpointIsThere) {
  Courier courier = make();
  courier.start(kKey, from_checkpoint());
  courier.tell(kKey, Action::pause);
  EXPECT_THAT(happened(), IsEmpty());

  talk(courier);

  EXPECT_THAT(happened(), ElementsAre("start", "tell pause"));
  const auto folder = checkpoint_path(started_.job.study_dir, *started_.resume_from);
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(support::file_text(folder.value() / "model"), "weights");
}

TEST_F(Travels, ADamagedCheckpointFailsItsAttemptAsOneHere) {
  Courier courier = make();
  const Assign assign = from_checkpoint();
  std::ofstream(study_.path() / assign.resume_from->uri / "model") << "torn";
  courier.start(kKey, assign);

  talk(courier);

  EXPECT_THAT(happened(), ElementsAre("failed checkpoint"));
}

TEST_F(Travels, DamageOfOneThatIsEndedDoesNotCountForTheNext) {
  Courier courier = make();
  const Assign first = from_checkpoint();
  Assign second = first;
  second.attempt = AttemptId{3};
  const WorkKey next{second.trial, second.attempt};
  courier.start(kKey, first);
  damage_next_ = 1;
  courier.tick(true, Milliseconds(0));
  answer(courier);  // its list
  answer(courier);  // its model, which is damaged: it asks again
  courier.end(kKey, true);
  sent_.clear();
  EXPECT_THAT(happened(), ElementsAre("failed infra"));

  courier.start(next, second);
  damage_next_ = 1;
  talk(courier);

  EXPECT_THAT(happened(), ElementsAre("start"));
}

TEST_F(Travels, ACheckpointIsReportedWhenItHasArrivedAndTheEndBehindIt) {
  Courier courier = make();
  courier.start(kKey, assign());
  fs::create_directories(attempt_folder(started_));
  std::ofstream(attempt_log(started_)) << "words\n";
  const ArtifactRef saved = save();

  courier.said(kKey, WorkerReport{4, {{"loss", 1}}, saved});
  courier.said(kKey, WorkerEnd{AttemptEnd::reached, 4, std::nullopt, ""});
  courier.over(kKey, ProcessEnd{});
  EXPECT_THAT(happened(), ElementsAre("start", "metrics"));

  talk(courier);

  EXPECT_THAT(happened(), ElementsAre("checkpoint " + saved.uri, "said reached ", "over"));
  EXPECT_TRUE(checkpoint_path(study_.path(), saved));
  EXPECT_EQ(support::file_text(study_.path() / "trials/0/attempt-2/log"), "words\n");
  EXPECT_FALSE(fs::exists(fs::path(started_.job.study_dir) / saved.uri)) << "not needed here";
  EXPECT_FALSE(fs::exists(attempt_folder(started_)));
}

TEST_F(Travels, AfterAWelcomeAFolderBeginsWithItsFirstFile) {
  Courier courier = make();
  courier.start(kKey, assign());
  courier.said(kKey, WorkerReport{4, {}, save()});
  courier.tick(true, Milliseconds(0));
  answer(courier);
  ASSERT_EQ(std::get<PutFile>(sent_.at(0)).path, "B2SUMS") << "its other file has arrived";
  sent_.clear();

  courier.received(Welcome{}, Milliseconds(0));

  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(std::get<PutFile>(sent_[0]).path, "model");
}

TEST_F(Travels, ACheckpointThatIsNotTakenFailsItsAttempt) {
  Courier courier = make();
  courier.start(kKey, assign());
  const ArtifactRef saved = save();
  courier.said(kKey, WorkerReport{4, {}, saved});
  courier.said(kKey, WorkerEnd{AttemptEnd::reached, 4, std::nullopt, ""});
  courier.over(kKey, ProcessEnd{});
  courier.tick(true, Milliseconds(0));
  for (int i = 0; i < 3; ++i) {
    const auto& put = std::get<PutFile>(sent_.back());
    courier.received(FileStored{put.trial, put.attempt, put.folder, put.path, 0, false, "no"},
                     Milliseconds(0));
  }
  sent_.clear();

  talk(courier);

  const std::vector<std::string> all = happened();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_THAT(all[1], HasSubstr("said failed the checkpoint could not be sent: no"));
  EXPECT_EQ(all[2], "over");
}

TEST_F(Travels, WhatNobodyWaitsForIsNotSent) {
  Courier courier = make();
  courier.start(kKey, assign());
  courier.said(kKey, WorkerReport{4, {}, save()});
  courier.end(kKey, true);
  courier.over(kKey, ProcessEnd{});

  EXPECT_THAT(happened(), ElementsAre("start", "end", "over"));
  courier.tick(true, Milliseconds(0));
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(Travels, AnAttemptThatIsEndedWhileItsCheckpointIsFetchedIsOverAtOnce) {
  Courier courier = make();
  courier.start(kKey, from_checkpoint());

  courier.end(kKey, false);

  EXPECT_THAT(happened(), ElementsAre("failed infra"));
}

TEST_F(Travels, ThisProcesssFolderGoesWithIt) {
  {
    Courier courier = make();
    courier.start(kKey, assign());
    EXPECT_FALSE(fs::is_empty(own_.path()));
  }
  EXPECT_TRUE(fs::is_empty(own_.path()));
}

TEST_F(Travels, AndThatOfADeadOneWithTheNext) {
  fs::create_directories(own_.path() / "betatune-trainer-dead");
  std::ofstream(own_.path() / "betatune-trainer-dead" / "lock").close();
  const OwnFolder alive = OwnFolder::make(own_.path()).value();
  const OwnFolder next = OwnFolder::make(own_.path()).value();

  EXPECT_FALSE(fs::exists(own_.path() / "betatune-trainer-dead"));
  EXPECT_TRUE(fs::exists(alive.path()));
}

}  // namespace
}  // namespace betatune
