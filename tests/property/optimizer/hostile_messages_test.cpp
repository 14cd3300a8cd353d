/// Whatever a peer says that has no session, or has one and speaks of what is not its own: the log
/// is the one that there would be without it. BETATUNE_CASES tries more conversations.

#include <gtest/gtest.h>
#include <limits>

#include "tests/support/coordinator_harness.hpp"
#include "tests/support/for_all.hpp"

namespace betatune {
namespace {

using test::Harness;

constexpr int kMessagesBetween = 6;

/// Numbers as they occur in the honest conversation, so that a message can hit what is there.
class Forger {
 public:
  explicit Forger(Stream random) : random_(random) {}

  std::size_t count() { return random_.below(kMessagesBetween); }

  /// From a peer that has said HELLO under a name of its own, and never READY.
  Message of_a_session() {
    switch (random_.below(4)) {
      case 0:
        return report();
      case 1:
        return done();
      case 2:
        return Beat{random_.below(4), held(), held()};
      default:
        return to_trainers();
    }
  }
  Message of_a_stranger() {
    switch (random_.below(4)) {
      case 0:
        return Ready{static_cast<int>(random_.below(5)) - 1};
      case 1:
        return Bye{"forged", random_.below(2) == 0};
      case 2:
        return hello();
      default:
        return of_a_session();
    }
  }

 private:
  TrialId trial() { return TrialId{random_.below(6)}; }
  AttemptId attempt() { return AttemptId{random_.below(4)}; }
  double loss() {
    const double odd[] = {0.1, std::numeric_limits<double>::quiet_NaN(),
                          -std::numeric_limits<double>::infinity(), 1e308};
    return odd[random_.below(4)];
  }
  std::vector<Held> held() {
    std::vector<Held> all;
    for (std::size_t i = random_.below(4); i > 0; --i) {
      all.push_back({trial(), attempt(), random_.below(10), static_cast<Step>(random_.below(10))});
    }
    return all;
  }
  Report report() {
    Report made{trial(),
                attempt(),
                random_.below(12),
                static_cast<Step>(random_.below(12)) - 1,
                {{"loss", loss()}},
                {}};
    if (random_.below(3) == 0)
      made.checkpoint = ArtifactRef{"../" + made.metrics.begin()->first, 3, 1};
    if (random_.below(3) == 0) made.checkpoint = ArtifactRef{"checkpoints/1", 1, 1};
    return made;
  }
  Done done() {
    const AttemptEnd ends[] = {AttemptEnd::reached, AttemptEnd::stopped, AttemptEnd::paused,
                               AttemptEnd::failed, AttemptEnd::lost};
    const FailureClass classes[] = {FailureClass::user, FailureClass::infra,
                                    FailureClass::checkpoint};
    Done made{trial(),
              attempt(),
              random_.below(10),
              static_cast<Step>(random_.below(10)),
              ends[random_.below(5)],
              {},
              "forged"};
    if (random_.below(2) == 0) made.failure = classes[random_.below(3)];
    return made;
  }
  /// One that is refused: of another version, without the token, or with slots out of bounds.
  Hello hello() {
    Hello made;
    made.trainer = random_.below(2) == 0 ? "honest" : "another";
    made.session = "forged";
    made.token = "right";
    made.held = held();
    switch (random_.below(3)) {
      case 0:
        made.protocol_min = made.protocol_max = 2;
        break;
      case 1:
        made.token = "guessed";
        break;
      default:
        made.slots = 0;
    }
    return made;
  }
  Message to_trainers() {
    switch (random_.below(4)) {
      case 0:
        return Ack{trial(), attempt(), random_.below(10), random_.below(2) == 0};
      case 1:
        return Decision{trial(), attempt(), Action::stop, "forged"};
      case 2:
        return Assign{trial(), attempt(), 1, {{"x", 0.5}}, 0, 9, {}, 1, {}};
      default:
        return Welcome{};
    }
  }

  Stream random_;
};

/// An honest study of two slots under a scheduler that pauses and promotes; `between` comes after
/// every message.
std::vector<std::string> log_of(Stream random, const std::function<void(Harness&)>& between) {
  StudySpec spec = test::stepped_study(9, "asha");
  spec.stopping.trials = 6;
  CoordinatorOptions options;
  options.token = "right";
  Harness shell(std::move(spec), {}, options);
  const auto say = [&](Message message) {
    shell.say("honest", std::move(message));
    between(shell);
  };
  Hello hello;
  hello.trainer = "honest";
  hello.session = "1";
  hello.token = "right";
  hello.slots = 2;
  say(hello);
  say(Ready{2});
  std::size_t heard = 0;
  while (!shell.finished) {
    const auto assigned = shell.all_sent<Assign>();
    std::vector<Assign> ours(assigned.begin() + static_cast<std::ptrdiff_t>(heard), assigned.end());
    heard = assigned.size();
    if (ours.empty()) break;
    for (const Assign& each : ours) {
      for (Step step = each.from + 1; step <= each.until; ++step) {
        const auto seq = static_cast<std::uint64_t>(step - each.from);
        say(Report{each.trial,
                   each.attempt,
                   seq,
                   step,
                   {{"loss", random.uniform()}},
                   ArtifactRef{"checkpoints/" + std::to_string(step), step, 1}});
      }
      const auto reports = static_cast<std::uint64_t>(each.until - each.from);
      const bool fails = random.below(8) == 0;
      say(Done{each.trial, each.attempt, reports, each.until,
               fails ? AttemptEnd::failed : AttemptEnd::reached,
               fails ? std::optional(FailureClass::infra) : std::nullopt, ""});
      say(Ready{1});
    }
  }
  EXPECT_TRUE(shell.finished);
  std::vector<std::string> facts;
  for (const Event& event : shell.log()) {
    facts.push_back(std::string(fact_type(event.fact)) + " " + encode_fact(event.fact).dump());
  }
  return facts;
}

TEST(HostileMessages, LeaveTheLogAsItWouldBeWithoutThem) {
  test::for_all(
      root_key(11), [](Stream& stream) { return stream.bits(); },
      [](std::uint64_t seed) {
        const Key key = root_key(seed);
        const auto alone = log_of(Stream(fold_in(key, "honest")), [](Harness&) {});
        Forger forger(Stream(fold_in(key, "forged")));
        bool foreign_is_in = false;
        const auto beset = log_of(Stream(fold_in(key, "honest")), [&](Harness& shell) {
          if (!std::exchange(foreign_is_in, true)) {
            Hello hello;
            hello.trainer = "foreign";
            hello.session = "2";
            hello.token = "right";
            shell.say("foreign", hello);
          }
          for (std::size_t i = forger.count(); i > 0; --i) {
            shell.say("stranger", forger.of_a_stranger());
            shell.say("foreign", forger.of_a_session());
          }
        });
        EXPECT_EQ(alone, beset);
        EXPECT_GT(alone.size(), 30u);
      },
      100);
}

}  // namespace
}  // namespace betatune
