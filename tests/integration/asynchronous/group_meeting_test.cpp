/// Ranks that meet, as threads: who comes, who is given up, and what the others get.

#include "trainers/torch/distributed/asynchronous/group_meeting.hpp"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "tests/support/failure_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {
namespace {

using namespace std::chrono_literals;
using Present = GroupMeeting::Present;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Meeting : public ::testing::Test {
 protected:
  /// Ranks 0 and 1, 2 and 3 ...
  void open(int ranks, std::chrono::milliseconds patience = 60s) {
    MeetingKeeper::Settings settings;
    settings.address = "unix://" + (folder_.path() / "meeting").string();
    for (int rank = 0; rank < ranks; ++rank) settings.group_of.push_back(rank / 2);
    settings.patience = patience;
    settings.signs = [this](int group) -> std::uint64_t {
      if (group == 0 || others_work_) ++looks_;
      return group == 0 || others_work_ ? looks_ : 0;
    };
    keeper_ = std::make_unique<MeetingKeeper>(settings);
    for (int rank = 1; rank < ranks; ++rank) {
      guests_.push_back(std::make_unique<MeetingGuest>(
          MeetingGuest::Settings{keeper_->address(), rank, ranks / 2, 60s}));
    }
    keeper_->admit(60s);
  }
  MeetingGuest& guest(int rank) { return *guests_[static_cast<std::size_t>(rank - 1)]; }
  /// The calls of some ranks, each in a thread of its own.
  template <class Call>
  void at(std::initializer_list<int> ranks, Call call) {
    for (const int rank : ranks)
      threads_.emplace_back([this, rank, call] { call(guest(rank), rank); });
  }
  void TearDown() override {
    for (std::thread& thread : threads_) thread.join();
  }

  support::TemporaryDirectory folder_;
  std::uint64_t looks_ = 0;
  bool others_work_ = false;  ///< the groups behind the first give signs
  std::unique_ptr<MeetingKeeper> keeper_;
  std::vector<std::unique_ptr<MeetingGuest>> guests_;
  std::vector<std::thread> threads_;
};

TEST_F(Meeting, SumsAndSharesWithEverybody) {
  open(4);
  at({1, 2, 3}, [](MeetingGuest& guest, int rank) {
    std::vector<double> values{static_cast<double>(rank), 1};
    EXPECT_THAT(guest.sum(values), ElementsAre(true, true));
    EXPECT_THAT(values, ElementsAre(6, 4));
    float weight = 0;
    guest.share(std::as_writable_bytes(std::span(&weight, 1)));
    EXPECT_EQ(weight, 0.5f);
    std::vector<double> nothing;
    EXPECT_THAT(guest.sum(nothing), ElementsAre(true, true));
  });

  std::vector<double> values{0, 1}, nothing;
  EXPECT_THAT(keeper_->sum(values), ElementsAre(true, true));
  EXPECT_THAT(values, ElementsAre(6, 4));
  float weight = 0.5f;
  keeper_->share(std::as_writable_bytes(std::span(&weight, 1)));
  keeper_->sum(nothing);

  EXPECT_TRUE(keeper_->take_lost().empty());
}

TEST_F(Meeting, GoesOnWithoutAGroupOfWhichARankHasEnded) {
  open(6);
  guests_[2].reset();  // rank 3
  at({2}, [](MeetingGuest& guest, int) {
    std::vector<double> values{100};
    EXPECT_THAT(support::failure_text([&] { guest.sum(values); }),
                HasSubstr("rank 2 cannot meet the others at rank 0"));
  });
  at({1, 4, 5}, [](MeetingGuest& guest, int rank) {
    for (int i = 0; i < 3; ++i) {
      std::vector<double> values{static_cast<double>(rank)};
      EXPECT_THAT(guest.sum(values), ElementsAre(true, false, true));
      EXPECT_THAT(values, ElementsAre(1 + 4 + 5));
    }
  });

  for (int i = 0; i < 3; ++i) {
    std::vector<double> values{0};
    EXPECT_THAT(keeper_->sum(values), ElementsAre(true, false, true));
    EXPECT_THAT(values, ElementsAre(1 + 4 + 5));
  }

  const auto lost = keeper_->take_lost();
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].group, 1);
  EXPECT_THAT(lost[0].why, HasSubstr("rank 3 is lost"));
  EXPECT_TRUE(keeper_->take_lost().empty()) << "each is told of once";
}

TEST_F(Meeting, GivesUpAGroupThatDoesNotComeAndIsNotAtWork) {
  open(4, 200ms);
  at({1, 2}, [](MeetingGuest& guest, int rank) {
    std::vector<double> values{1};
    if (rank == 2) {
      EXPECT_NE(support::failure_text([&] { guest.sum(values); }), "");
    } else {
      EXPECT_THAT(guest.sum(values), ElementsAre(true, false));
      EXPECT_THAT(values, ElementsAre(2));
    }
  });

  std::vector<double> values{1};
  EXPECT_THAT(keeper_->sum(values), ElementsAre(true, false));

  EXPECT_THAT(values, ElementsAre(2));
  const auto lost = keeper_->take_lost();
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_THAT(lost[0].why, HasSubstr(" did not come to the end of the epoch within 200 ms"));
}

TEST_F(Meeting, WaitsForAGroupThatIsAtWork) {
  open(4, 200ms);
  others_work_ = true;
  at({1, 2, 3}, [](MeetingGuest& guest, int rank) {
    if (rank > 1) std::this_thread::sleep_for(800ms);
    std::vector<double> values{1};
    EXPECT_THAT(guest.sum(values), ElementsAre(true, true));
  });

  std::vector<double> values{1};
  EXPECT_THAT(keeper_->sum(values), ElementsAre(true, true));

  EXPECT_THAT(values, ElementsAre(4));
}

TEST_F(Meeting, IsNoneWithoutARankOfTheFirstGroup) {
  open(4);
  guests_[0].reset();

  std::vector<double> values{1};
  EXPECT_THAT(support::failure_text([&] { keeper_->sum(values); }), HasSubstr("rank 1 is lost"));
}

TEST_F(Meeting, SaysWhenRanksMakeDifferentCalls) {
  open(2);
  at({1}, [](MeetingGuest& guest, int) {
    std::vector<double> values{1, 2};
    EXPECT_THROW(guest.sum(values), plugin::Failure);
  });

  std::vector<double> values{1};
  try {
    keeper_->sum(values);
    ADD_FAILURE() << "two numbers were taken for one";
  } catch (const plugin::Failure& failure) {
    EXPECT_EQ(failure.failure_class(), BETATUNE_ERROR);
    EXPECT_THAT(failure.what(), HasSubstr("rank 1 is at meeting 1 with 16 bytes, this rank at "
                                          "meeting 1 with 8"));
  }
  keeper_.reset();
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
