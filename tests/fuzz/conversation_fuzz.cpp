/// What three peers say to an optimizer, one line each: `A REPORT {...}`; `+250` lets so many
/// milliseconds pass, `!` kills the optimizer and starts it again. Whatever was said: the log folds
/// to the state that the optimizer has, and an honest trainer that comes afterwards ends the study
/// with exactly its trials.

#include <charconv>

#include "optimizer/study_state.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/coordinator_harness.hpp"
#include "transport/codec.hpp"

namespace betatune::fuzz {
namespace {

constexpr std::size_t kLines = 200;
constexpr std::int64_t kTrials = 4;

StudySpec study() {
  StudySpec spec = test::stepped_study(9, "asha");
  spec.stopping.trials = kTrials;
  return spec;
}

void take_line(test::Harness& study, std::string_view line) {
  if (line == "!") return study.restart();
  if (line.starts_with('+')) {
    std::uint16_t ms = 0;
    std::from_chars(line.data() + 1, line.data() + line.size(), ms);
    return study.tick(std::chrono::milliseconds(ms));
  }
  const std::string peer(next_piece(line, ' '));
  if (peer != "A" && peer != "B" && peer != "C") return;
  const std::string verb(next_piece(line, ' '));
  if (Result<Message> message = decode_message({"BTP1", verb, std::string(line)})) {
    study.say(peer, std::move(message).value());
  }
}

void check_log(const test::Harness& study) {
  if (state_hash(study.folded()) != state_hash(study.state())) broken("the log says otherwise");
}

/// A trainer of two slots that does what it is told, until the study is over.
void end_honestly(test::Harness& study) {
  study.tick(std::chrono::hours(1));  // whoever was there has lost its leases
  study.restart();
  study.join("honest", 2);
  for (int round = 0; round < 200 && !study.finished; ++round) {
    const std::vector<Assign> work = study.all_sent<Assign>();
    study.sent.clear();
    for (const Assign& each : work) {
      std::uint64_t seq = 0;
      for (Step step = each.from + 1; step <= each.until; ++step) {
        study.report_saved("honest", each, ++seq, step);
      }
      study.done("honest", each, seq);
      study.say("honest", Ready{2});
    }
    study.tick(std::chrono::seconds(1));
    study.say("honest", Beat{study.state().epoch, {}, {}});
  }
  if (!study.finished) broken("an honest trainer does not bring it to its end");
}

}  // namespace

void try_input(std::string_view bytes) {
  test::Harness harness(study());
  for (std::size_t i = 0; i < kLines && !bytes.empty(); ++i) {
    take_line(harness, next_piece(bytes, '\n'));
    if (i % 16 == 0) check_log(harness);
  }
  check_log(harness);
  if (!harness.finished) end_honestly(harness);
  check_log(harness);
}

}  // namespace betatune::fuzz
