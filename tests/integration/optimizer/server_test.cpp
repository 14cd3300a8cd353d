/// The server with real sockets, threads and a real database, and trainers that misbehave as a
/// network makes them.

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/served_study.hpp"
#include "tests/support/wire_trainer.hpp"

namespace betatune {
namespace {

using support::ServedStudy;
using support::simple_study;
using support::WireTrainer;
using support::WireTrainerOptions;
using testing::HasSubstr;

/// Wrapped, so that a test's end ends the trainer too.
class TrainerThread {
 public:
  explicit TrainerThread(WireTrainerOptions options)
      : trainer_(std::move(options)), thread_([this] { trainer_.run(); }) {}
  ~TrainerThread() { join(); }
  TrainerThread(const TrainerThread&) = delete;
  TrainerThread& operator=(const TrainerThread&) = delete;

  WireTrainer& join() {
    if (thread_.joinable()) {
      trainer_.stop();
      thread_.join();
    }
    return trainer_;
  }
  /// Waits for the trainer's own end.
  WireTrainer& wait() {
    if (thread_.joinable()) thread_.join();
    return trainer_;
  }

 private:
  WireTrainer trainer_;
  std::thread thread_;
};

class ServerTest : public testing::Test {
 protected:
  WireTrainerOptions trainer_of(const ServedStudy& study, const std::string& name = "wire") {
    WireTrainerOptions options;
    options.endpoint = study.bind().endpoint;
    options.token = study.bind().token;
    options.name = name;
    options.slots = 8;
    options.loss = [](const Configuration& params, Step step) {
      return std::get<double>(params.at("x")) + 1.0 / static_cast<double>(step);
    };
    return options;
  }

  support::TemporaryDirectory directory_;
};

std::size_t count_closed(const std::vector<Event>& events) {
  std::size_t closed = 0;
  for (const Event& event : events) {
    if (std::holds_alternative<TrialClosed>(event.fact)) ++closed;
  }
  return closed;
}

/// A loopback endpoint that was free a moment ago.
std::string free_port() {
  ZmqContext context;
  asio::io_context loop;
  auto socket = ZmqSocket::open(context, loop, ZmqSocket::Role::router);
  EXPECT_TRUE(socket);
  EXPECT_TRUE(socket.value()->bind("tcp://127.0.0.1:*"));
  return socket.value()->endpoint();
}

void expect_each_report_once(const std::vector<Event>& events) {
  std::map<std::pair<TrialId, AttemptId>, std::uint64_t> last;
  for (const Event& event : events) {
    const auto* reported = std::get_if<Reported>(&event.fact);
    if (reported == nullptr) continue;
    std::uint64_t& seq = last[{reported->trial, reported->attempt}];
    EXPECT_EQ(reported->seq, seq + 1) << "trial " << reported->trial.n;
    seq = reported->seq;
  }
}

std::vector<Event> stored_events(const StudyStore& store) {
  const auto events = store.read(0, 1'000'000);
  EXPECT_TRUE(events) << events.error().message;
  return events ? events.value() : std::vector<Event>{};
}

TEST_F(ServerTest, RunsExactlyTheTrialsAskedForAndTheStoreHasWhatTheObserverSaw) {
  ServedStudy study(simple_study(directory_.path(), 200));
  study.start();
  TrainerThread trainer(trainer_of(study));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end.value(), "trials");
  const auto events = stored_events(*study.session().store);
  EXPECT_EQ(count_closed(events), 200u);
  EXPECT_EQ(events.size(), study.observer().events().size());
  EXPECT_LT(study.observer().batches(), events.size());
  EXPECT_EQ(trainer.wait().assigned, 200);
}

TEST_F(ServerTest, MessagesThatArriveTwiceCountOnce) {
  ServedStudy study(simple_study(directory_.path(), 100,
                                 "fidelity: {max: 5}\n"
                                 "algorithm: {name: random, scheduler: asha}\n"));
  study.start();
  auto options = trainer_of(study);
  options.send_twice = true;
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  const auto events = stored_events(*study.session().store);
  EXPECT_EQ(count_closed(events), 100u);
  expect_each_report_once(events);
}

TEST_F(ServerTest, TrainersThatReconnectAllTheTimeLoseNothing) {
  ServedStudy study(simple_study(directory_.path(), 150, "trials: {retry: {infra: 100}}\n"));
  study.start();
  auto options = trainer_of(study);
  options.reconnect_every = 3;
  options.repeat_after = std::chrono::milliseconds(50);
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  const auto events = stored_events(*study.session().store);
  EXPECT_EQ(count_closed(events), 150u);
  expect_each_report_once(events);
}

TEST_F(ServerTest, NonsenseFromATrainerIsRefusedAndChangesNothing) {
  ServedStudy study(simple_study(directory_.path(), 60));
  study.start();
  auto options = trainer_of(study);
  options.garbage_every = 2;
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(count_closed(stored_events(*study.session().store)), 60u);
  const WireTrainer& joined = trainer.wait();
  EXPECT_GE(joined.refused, 60);
  EXPECT_EQ(joined.last_refusal, "malformed");
}

TEST_F(ServerTest, AWrongTokenIsRefusedAndTheRightOneWorks) {
  const std::string server = "server: {bind: \"" + free_port() + "\"}\n";
  ServedStudy study(simple_study(directory_.path(), 10, server));
  ASSERT_EQ(study.bind().token.size(), 32u);
  study.start();

  auto wrong = trainer_of(study, "wrong");
  wrong.token = std::string(32, '0');
  TrainerThread stranger(std::move(wrong));
  const WireTrainer& refused = stranger.wait();
  TrainerThread trainer(trainer_of(study, "right"));
  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(refused.last_refusal, "bad_token");
  EXPECT_EQ(refused.assigned, 0);
  EXPECT_EQ(trainer.wait().assigned, 10);
}

TEST_F(ServerTest, RequestsOfOtherProcessesAreTakenOnce) {
  ServedStudy study(simple_study(directory_.path(), 50));
  auto other = open_sqlite_store(directory_ / "study", OpenMode::request_only);
  ASSERT_TRUE(other) << other.error().message;
  ASSERT_TRUE(other.value()->add_request("enqueue", Json{{"params", {{"x", 0.25}}}}));
  ASSERT_TRUE(other.value()->add_request("enqueue", Json{{"params", {{"y", 0.25}}}}));
  ASSERT_TRUE(other.value()->add_request("dance", Json::object()));
  study.start();
  TrainerThread trainer(trainer_of(study));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  int enqueued = 0;
  for (const Event& event : stored_events(*study.session().store)) {
    if (std::holds_alternative<ConfigurationEnqueued>(event.fact)) ++enqueued;
    const auto* created = std::get_if<TrialCreated>(&event.fact);
    if (created != nullptr && created->origin == "enqueued") {
      EXPECT_EQ(std::get<double>(created->configuration.at("x")), 0.25);
    }
  }
  EXPECT_EQ(enqueued, 1);
  EXPECT_TRUE(study.session().store->requests().value().empty());
  ASSERT_EQ(study.observer().notices().size(), 2u);
  EXPECT_THAT(study.observer().notices()[0], HasSubstr("y"));
  EXPECT_THAT(study.observer().notices()[1], HasSubstr("dance"));
}

/// Returns when the server's first events are durable: by then it has looked for stored requests.
void wait_until_started(const std::filesystem::path& study) {
  const auto reader = open_sqlite_store(study, OpenMode::read_only);
  ASSERT_TRUE(reader) << reader.error().message;
  while (true) {
    const auto events = reader.value()->read(0, 1);
    ASSERT_TRUE(events) << events.error().message;
    if (!events.value().empty()) return;
    std::this_thread::yield();
  }
}

TEST_F(ServerTest, ADrainRequestOfAnEarlierRunIsTakenWithoutActingOnIt) {
  ServedStudy study(simple_study(directory_.path(), 5));
  auto other = open_sqlite_store(directory_ / "study", OpenMode::request_only);
  ASSERT_TRUE(other);
  ASSERT_TRUE(other.value()->add_request("drain", Json::object()));
  study.start();
  TrainerThread trainer(trainer_of(study));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end.value(), "trials");
  const auto left = study.session().store->requests();
  ASSERT_TRUE(left);
  EXPECT_TRUE(left.value().empty());
}

TEST_F(ServerTest, ADrainRequestEndsTheStudyResumableAndTheNextRunCompletesIt) {
  const auto spec = simple_study(directory_.path(), 40);
  {
    ServedStudy study(spec);
    auto other = open_sqlite_store(directory_ / "study", OpenMode::request_only);
    ASSERT_TRUE(other);
    study.start();
    wait_until_started(directory_ / "study");
    ASSERT_TRUE(other.value()->add_request("drain", Json::object()));
    const auto& end = study.wait();
    ASSERT_TRUE(end) << end.error().message;
    EXPECT_EQ(end.value(), "drained");
  }
  ServedStudy study(spec);
  study.start();
  TrainerThread trainer(trainer_of(study));
  const auto& end = study.wait();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end.value(), "trials");
  EXPECT_EQ(count_closed(stored_events(*study.session().store)), 40u);
}

TEST_F(ServerTest, ASecondOptimizerIsKeptOut) {
  const auto spec = simple_study(directory_.path(), 10);
  ServedStudy study(spec);
  study.start();
  Diagnostics diagnostics;

  const auto second = open_session(spec, "study.yaml", {}, diagnostics);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::conflict) << second.error().message;
  TrainerThread trainer(trainer_of(study));
  EXPECT_TRUE(study.wait());
}

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

TEST_F(ServerTest, NoTrainerHearsOfAnAttemptThatIsNotDurable) {
  FailingStore::Control control;
  ServedStudy study(simple_study(directory_.path(), 100), [&](auto real) {
    return std::make_unique<FailingStore>(std::move(real), control);
  });
  study.start();
  auto options = trainer_of(study);
  std::atomic<int> too_early{0};
  options.on_assign = [&](const Assign& assign) {
    if (!control.is_durable(assign.trial, assign.attempt)) ++too_early;
  };
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(trainer.wait().assigned, 100);
  EXPECT_EQ(too_early, 0);
}

TEST_F(ServerTest, AFullDiskHoldsEverythingBackAndLosesNothing) {
  FailingStore::Control control;
  control.fail = [](int append) -> std::optional<Error> {
    const bool full = (append >= 5 && append < 8) || append == 12;
    if (!full) return std::nullopt;
    return Error{ErrorKind::unavailable, "study.db: no space left on device"};
  };
  ServedStudy study(simple_study(directory_.path(), 100), [&](auto real) {
    return std::make_unique<FailingStore>(std::move(real), control);
  });
  study.start();
  auto options = trainer_of(study);
  std::atomic<int> too_early{0};
  options.on_assign = [&](const Assign& assign) {
    if (!control.is_durable(assign.trial, assign.attempt)) ++too_early;
  };
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(too_early, 0);
  const auto events = stored_events(*study.session().store);
  EXPECT_EQ(count_closed(events), 100u);
  expect_each_report_once(events);
  ASSERT_EQ(study.observer().notices().size(), 4u);
  EXPECT_THAT(study.observer().notices()[0], HasSubstr("no space left"));
  EXPECT_THAT(study.observer().notices()[1], HasSubstr("going on"));
}

TEST_F(ServerTest, AnOptimizerThatWasFencedOutEndsWithoutSendingAnythingMore) {
  FailingStore::Control control;
  control.fail = [](int append) -> std::optional<Error> {
    if (append < 5) return std::nullopt;
    return Error{ErrorKind::conflict, "another optimizer has taken this study over"};
  };
  ServedStudy study(simple_study(directory_.path(), 100), [&](auto real) {
    return std::make_unique<FailingStore>(std::move(real), control);
  });
  study.start();
  auto options = trainer_of(study);
  std::atomic<int> too_early{0};
  options.on_assign = [&](const Assign& assign) {
    if (!control.is_durable(assign.trial, assign.attempt)) ++too_early;
  };
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().kind, ErrorKind::conflict);
  trainer.join();
  EXPECT_EQ(too_early, 0);
}

}  // namespace
}  // namespace betatune
