/// The server and a store that is slow, full or taken over: nothing is said before it is durable.

#include <atomic>
#include <gmock/gmock.h>
#include <mutex>
#include <set>

#include "tests/support/server_fixture.hpp"

namespace betatune {
namespace {

using support::count_closed;
using support::expect_each_report_once;
using support::ServedStudy;
using support::simple_study;
using support::TrainerThread;
using support::WireTrainerOptions;
using testing::HasSubstr;

/// Forwards to the real store, but fails when told to, and remembers which attempts are durable.
class FailingStore final : public StudyStore {
 public:
  struct Control {
    std::function<std::optional<Error>(int append)> fail = [](int) { return std::nullopt; };
    std::mutex mutex;
    std::set<std::pair<TrialId, AttemptId>> durable;
    int appends = 0;

    bool is_durable(TrialId trial, AttemptId attempt) {
      const std::lock_guard lock(mutex);
      return durable.count({trial, attempt}) != 0;
    }
  };

  FailingStore(std::unique_ptr<StudyStore> real, Control& control)
      : real_(std::move(real)), control_(control) {}

  Status append(Sequence expected, std::span<const Event> events,
                std::span<const std::int64_t> taken) override {
    if (auto error = control_.fail(control_.appends++)) return *error;
    // A slow disk: whatever is sent too early arrives before this returns.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const Status done = real_->append(expected, events, taken);
    const std::lock_guard lock(control_.mutex);
    for (const Event& event : events) {
      const auto* started = std::get_if<AttemptStarted>(&event.fact);
      if (done && started != nullptr) control_.durable.insert({started->trial, started->attempt});
    }
    return done;
  }
  Result<std::vector<Event>> read(Sequence after, std::size_t limit) const override {
    return real_->read(after, limit);
  }
  Result<std::uint64_t> begin_epoch() override { return real_->begin_epoch(); }
  Result<std::vector<StoredRequest>> requests() const override { return real_->requests(); }
  Status add_request(const std::string& kind, const Json& body) override {
    return real_->add_request(kind, body);
  }

 private:
  std::unique_ptr<StudyStore> real_;
  Control& control_;
};

/// A server whose store fails as `control_` says, and a trainer that counts what it hears too
/// early.
class ServerStore : public support::ServerTest {
 protected:
  std::unique_ptr<ServedStudy> study_of(int trials) {
    return std::make_unique<ServedStudy>(simple_study(directory_.path(), trials), [&](auto real) {
      return std::make_unique<FailingStore>(std::move(real), control_);
    });
  }
  WireTrainerOptions listening_trainer(const ServedStudy& study) {
    auto options = trainer_of(study);
    options.on_assign = [this](const Assign& assign) {
      if (!control_.is_durable(assign.trial, assign.attempt)) ++too_early_;
    };
    return options;
  }

  FailingStore::Control control_;
  std::atomic<int> too_early_{0};
};

TEST_F(ServerStore, NoTrainerHearsOfAnAttemptThatIsNotDurable) {
  const auto study = study_of(100);
  study->start();
  TrainerThread trainer(listening_trainer(*study));

  const auto& end = study->wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(trainer.wait().assigned, 100);
  EXPECT_EQ(too_early_, 0);
}

TEST_F(ServerStore, AFullDiskHoldsEverythingBackAndLosesNothing) {
  control_.fail = [](int append) -> std::optional<Error> {
    const bool full = (append >= 5 && append < 8) || append == 12;
    if (!full) return std::nullopt;
    return Error{ErrorKind::unavailable, "study.db: no space left on device"};
  };
  const auto study = study_of(100);
  study->start();
  TrainerThread trainer(listening_trainer(*study));

  const auto& end = study->wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(too_early_, 0);
  const auto events = stored_events(*study);
  EXPECT_EQ(count_closed(events), 100u);
  expect_each_report_once(events);
  ASSERT_EQ(study->observer().notices().size(), 4u);
  EXPECT_THAT(study->observer().notices()[0], HasSubstr("no space left"));
  EXPECT_THAT(study->observer().notices()[1], HasSubstr("going on"));
}

TEST_F(ServerStore, AnOptimizerThatWasFencedOutEndsWithoutSendingAnythingMore) {
  control_.fail = [](int append) -> std::optional<Error> {
    if (append < 5) return std::nullopt;
    return Error{ErrorKind::conflict, "another optimizer has taken this study over"};
  };
  const auto study = study_of(100);
  study->start();
  TrainerThread trainer(listening_trainer(*study));

  const auto& end = study->wait();

  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().kind, ErrorKind::conflict);
  trainer.join();
  EXPECT_EQ(too_early_, 0);
}

}  // namespace
}  // namespace betatune
