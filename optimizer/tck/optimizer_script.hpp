#pragma once
/// Scripted trainers, with an optimizer under test at the other end.

#include "optimizer/tck/case.hpp"
#include "optimizer/tck/process.hpp"
#include "optimizer/tck/wire.hpp"

namespace betatune::tck {

struct OptimizerTarget {
  std::vector<std::string> command;  ///< with {address} and {study}
  bool curve = false;                ///< with keys, over the loopback device
  Milliseconds patience{20'000};
};

class OptimizerScript;

/// One connection of a trainer. Its messages are whatever a case wants them to be.
class Trainer {
 public:
  Trainer(OptimizerScript& script, std::string name);

  /// HELLO, in the session of this connection; returns the WELCOME.
  Result<Welcome> hello(int slots = 1, std::vector<Held> held = {});
  Hello make_hello(int slots = 1, std::vector<Held> held = {}) const;
  /// HELLO, READY with all slots, and the first ASSIGN.
  Result<Assign> begin(int slots = 1);
  Result<Assign> next_assign();
  /// One report, and waits for its acknowledgement.
  Status report(const Assign& assign, std::uint64_t seq, Step step, double loss = 0.5);
  Result<Ack> done(const Assign& assign, std::uint64_t final_seq,
                   AttemptEnd end = AttemptEnd::reached, std::optional<FailureClass> failure = {});
  /// The whole attempt in one report.
  Status run(const Assign& assign);

  void send(const Message& message);
  void send_frames(const Frames& frames);
  /// The next message of type M, past others.
  template <class M>
  Result<M> expect(const std::function<bool(const M&)>& fits = [](const M&) { return true; });
  /// No message of type M for so long.
  template <class M>
  Status never(
      Milliseconds time, const std::function<bool(const M&)>& fits = [](const M&) { return true; });
  /// An ERROR of this code.
  Result<Refusal> refused(const std::string& code);
  /// The session is known as before: a BEAT is answered.
  Status is_known();
  /// Leaves without a word, and connects again: a new session.
  void reconnect();

  const std::string& name() const { return name_; }

 private:
  Result<Heard> heard(Clock::time_point until, const char* what);

  OptimizerScript& script_;
  std::string name_, session_;
  std::unique_ptr<Wire> wire_;
};

class OptimizerScript {
 public:
  OptimizerScript(const OptimizerTarget& target, std::filesystem::path folder);

  /// On the kit's study: x in [0, 1], five steps, `loss` minimised, so many trials, retries of
  /// infra, a lease of 2 s.
  Status start(int trials = 100);
  /// Starts it again after kill_optimizer(), on the same study.
  Status start_again();
  void kill_optimizer() { process_.kill(); }
  Process& process() { return process_; }
  Trainer& trainer(const std::string& name = "kit-1");

  const OptimizerTarget& target() const { return target_; }
  const std::optional<TrainerKey>& key() const { return key_; }
  const std::string& endpoint() const { return endpoint_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::vector<std::string>& transcript_lines() { return transcript_; }
  const std::vector<std::string>& transcript() const { return transcript_; }

 private:
  Result<std::string> choose_address();

  OptimizerTarget target_;
  std::filesystem::path folder_;
  std::string endpoint_;
  std::optional<TrainerKey> key_;
  std::vector<std::string> transcript_;
  std::vector<std::unique_ptr<Trainer>> trainers_;
  Process process_;
};

template <class M>
Result<M> Trainer::expect(const std::function<bool(const M&)>& fits) {
  const auto until = Clock::now() + script_.target().patience;
  for (;;) {
    BETATUNE_TRY(const Heard next, heard(until, M::kType));
    const auto* found = std::get_if<M>(&next.message.value());
    if (found != nullptr && fits(*found)) return *found;
  }
}

template <class M>
Status Trainer::never(Milliseconds time, const std::function<bool(const M&)>& fits) {
  const auto until = Clock::now() + time;
  while (auto next = wire_->next(until)) {
    if (!next->message)
      return wrong("it sent what cannot be read: " + next->message.error().message);
    const auto* found = std::get_if<M>(&next->message.value());
    if (found != nullptr && fits(*found)) {
      return wrong(std::string("it sent ") + M::kType + " all the same");
    }
  }
  return Ok{};
}

}  // namespace betatune::tck
