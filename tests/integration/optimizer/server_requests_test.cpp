/// What other processes ask of a running server, through the store.

#include <gmock/gmock.h>

#include "tests/support/server_fixture.hpp"

namespace betatune {
namespace {

using support::count_closed;
using support::ServedStudy;
using support::simple_study;
using support::TrainerThread;
using testing::HasSubstr;

class ServerRequests : public support::ServerTest {};

TEST_F(ServerRequests, RequestsOfOtherProcessesAreTakenOnce) {
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
  for (const Event& event : stored_events(study)) {
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

TEST_F(ServerRequests, ADrainRequestOfAnEarlierRunIsTakenWithoutActingOnIt) {
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

TEST_F(ServerRequests, ADrainRequestEndsTheStudyResumableAndTheNextRunCompletesIt) {
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
  EXPECT_EQ(count_closed(stored_events(study)), 40u);
}

TEST_F(ServerRequests, ASecondOptimizerIsKeptOut) {
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

}  // namespace
}  // namespace betatune
