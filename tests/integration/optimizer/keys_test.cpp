// Trainers that must show keys, over real connections.

#include <gmock/gmock.h>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/support/served_study.hpp"
#include "tests/support/wire_trainer.hpp"

namespace betatune {
namespace {

using support::ServedStudy;
using support::simple_study;
using support::WireTrainer;
using support::WireTrainerOptions;

class KeysTest : public ::testing::Test {
 protected:
  KeysTest() : ring_(KeyRing::open(dir_ / "keys").value()) {}

  std::shared_ptr<const StudySpec> study(int trials, const std::string& lease = "5s") const {
    return simple_study(dir_.path(), trials,
                        "server: {bind: \"tcp://127.0.0.1:*\", keys: " + (dir_ / "keys").string() +
                            ", lease: " + lease + "}\n");
  }
  TrainerKey issue(const std::string& name) { return ring_.issue({name, "", "", {}, 0}).value(); }
  /// Runs until it is stopped or refused.
  struct Running {
    explicit Running(WireTrainerOptions options)
        : trainer(std::move(options)), thread([this] { trainer.run(); }) {}
    ~Running() {
      trainer.stop();
      thread.join();
    }
    WireTrainer trainer;
    std::thread thread;
  };
  static WireTrainerOptions options(const ServedStudy& study, std::optional<TrainerKey> key,
                                    const std::string& name) {
    WireTrainerOptions out;
    out.endpoint = study.endpoint();
    out.name = name;
    out.key = std::move(key);
    return out;
  }

  support::TemporaryDirectory dir_;
  KeyRing ring_;
};

TEST_F(KeysTest, ATrainerWithAnAllowedKeyRunsTheStudy) {
  const TrainerKey key = issue("site");
  ServedStudy served(study(20));
  served.start();
  Running trainer(options(served, key, "site/1"));

  EXPECT_EQ(served.wait().value(), "trials");

  EXPECT_EQ(trainer.trainer.assigned, 20);
}

TEST_F(KeysTest, AKeyThatIsMadeWhileTheStudyRunsCountsAtOnce) {
  issue("first");
  ServedStudy served(study(5));
  served.start();
  static_cast<void>(served.endpoint());

  Running trainer(options(served, issue("second"), "second/1"));

  EXPECT_EQ(served.wait().value(), "trials");
}

TEST_F(KeysTest, WhoHasNoneOrAForeignOneIsNotHeard) {
  const TrainerKey good = issue("site");
  TrainerKey foreign = good;
  foreign.own = make_key_pair().value();
  ServedStudy served(study(3));
  served.start();
  {
    Running with_foreign(options(served, foreign, "site/2"));
    Running with_none(options(served, std::nullopt, "site/3"));
    EXPECT_TRUE(support::eventually([&] { return with_foreign.trainer.turned_away > 0; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(with_foreign.trainer.assigned, 0);
    EXPECT_EQ(with_none.trainer.assigned, 0);
  }

  Running trainer(options(served, good, "site/1"));
  EXPECT_EQ(served.wait().value(), "trials");

  for (const Event& event : served.observer().events()) {
    if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
      EXPECT_EQ(started->trainer, "site/1");
    }
  }
  EXPECT_GE(served.observer().refused().turned_away, 1u);
}

TEST_F(KeysTest, ARevokedKeyLosesItsWorkToOthersAtOnce) {
  const TrainerKey bad = issue("bad"), good = issue("good");
  // A lease that would not be over before this test gives up.
  ServedStudy served(study(4, "1h"));
  served.start();
  // It takes a trial and keeps it.
  WireTrainerOptions holder = options(served, bad, "bad/1");
  std::atomic<bool> holds = false;
  holder.on_assign = [&](const Assign&) {
    holds = true;
    while (holds) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  };
  Running lost(std::move(holder));
  ASSERT_TRUE(support::eventually([&] { return holds.load(); }));

  ASSERT_TRUE(ring_.revoke("bad"));
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  holds = false;
  Running trainer(options(served, good, "good/1"));

  EXPECT_EQ(served.wait().value(), "trials");
  EXPECT_EQ(trainer.trainer.assigned, 4) << "with the one that the revoked key held";
  EXPECT_TRUE(support::eventually([&] { return lost.trainer.refused > 0; }));
  EXPECT_EQ(lost.trainer.last_refusal, "bad_key");
  int lost_attempts = 0;
  for (const Event& event : served.observer().events()) {
    const auto* ended = std::get_if<AttemptEnded>(&event.fact);
    if (ended == nullptr || ended->end != AttemptEnd::lost) continue;
    ++lost_attempts;
    EXPECT_FALSE(ended->charged) << "it is not the trial's fault";
  }
  EXPECT_EQ(lost_attempts, 1);
}

TEST_F(KeysTest, WithoutTheOptimizersPublicKeyNoTrainerIsFooled) {
  // Another optimizer at the same address, as an attacker's would be.
  const TrainerKey key = issue("site");
  TrainerKey misled = key;
  misled.server = make_key_pair().value().public_key;
  ServedStudy served(study(2));
  served.start();
  {
    Running trainer(options(served, misled, "site/1"));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(trainer.trainer.assigned, 0);
  }
  Running trainer(options(served, key, "site/1"));
  EXPECT_EQ(served.wait().value(), "trials");
}

}  // namespace
}  // namespace betatune
