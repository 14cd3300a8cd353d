#pragma once
/// A scripted optimizer, with a trainer under test at the other end. Routine is kept up in the
/// background (BEATs are answered, READY is noted), so that a case says only what it is about.

#include <fmt/format.h>
#include <map>
#include <set>

#include "configs/study_spec.hpp"
#include "optimizer/tck/case.hpp"
#include "optimizer/tck/process.hpp"
#include "optimizer/tck/wire.hpp"

namespace betatune::tck {

struct TrainerTarget {
  std::vector<std::string> command;  ///< with {address}; with {key} the conversation is over CURVE
  std::shared_ptr<const StudySpec> study;
  std::string study_directory;    ///< of the study file
  Milliseconds patience{20'000};  ///< for one message
};

class TrainerScript {
 public:
  TrainerScript(const TrainerTarget& target, std::filesystem::path folder);

  // ---- the trainer's process -------------------------------------------------------------------
  Status start();
  Process& process() { return process_; }
  Status exits(Milliseconds limit);
  /// start() and greet().
  Status begin();
  /// A trial of at least so many steps that runs: its first report has come.
  Result<Assign> begin_running(Step least);

  // ---- waiting ---------------------------------------------------------------------------------
  /// The next message of type M, past others; every message on the way must be readable.
  template <class M>
  Result<M> expect() {
    return expect<M>(target_.patience, [](const M&) { return true; });
  }
  template <class M>
  Result<M> expect(const std::function<bool(const M&)>& fits) {
    return expect<M>(target_.patience, fits);
  }
  template <class M>
  Result<M> expect(Milliseconds limit, const std::function<bool(const M&)>& fits);
  /// No message of type M that `fits` comes for so long.
  template <class M>
  Status never(Milliseconds time, const std::function<bool(const M&)>& fits);
  template <class M>
  Status never(Milliseconds time) {
    return never<M>(time, [](const M&) { return true; });
  }
  /// Lets time pass, routine kept up.
  Status pass(Milliseconds time);

  // ---- conversation ----------------------------------------------------------------------------
  /// Waits for a HELLO, answers it by WELCOME, and waits for READY.
  Status greet();
  /// WELCOME to the present peer.
  void welcome(std::vector<Held> keep = {}, std::vector<Held> drop = {});
  /// Sends an assignment of a fresh trial (or of this one), to the last step of the study.
  Assign assign(std::optional<TrialId> trial = {}, std::uint64_t attempt = 1);
  Assign make_assign(TrialId trial, std::uint64_t attempt);
  void acknowledge(const Report& report);
  void acknowledge(const Done& done);
  /// Takes all reports of the attempt up to its DONE, which it acknowledges too.
  Result<Done> finish(const Assign& assign);
  void send(const Message& message) { wire_->send(peer_, message); }
  void send_frames(const Frames& frames) { wire_->send_frames(peer_, frames); }
  /// The connection breaks; the address stays.
  Status break_connection();
  /// ERROR not_welcome; the next HELLO is awaited and returned.
  Result<Hello> rejoin();

  /// Skips what needs an attempt that runs for a while.
  Status needs_steps(Step least) const;
  Status needs_checkpoints() const;

  const Hello& hello() const { return hello_; }
  const Ready& ready() const { return ready_; }
  const Beat& beat() const { return beat_; }
  const PeerId& peer() const { return peer_; }
  const StudySpec& study() const { return *target_.study; }
  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<std::string>& transcript() const { return transcript_; }
  const std::vector<Report>& reports() const { return reports_; }
  const std::vector<Done>& dones() const { return dones_; }
  /// Lets time pass until this holds, for as long as a message may take; false if it never does.
  Result<bool> until(const std::function<bool()>& holds);

  Welcome terms;  ///< what welcome() says beside keep and drop
  bool answers_beats = true;
  bool acknowledges = true;                     ///< reports as they come, and DONEs in finish()
  std::set<TrialId> disowned;                   ///< dropped by the answers to BEATs
  std::function<void(const Message&)> on_file;  ///< PUT and GET; nobody answers without it
  std::set<TrialId>
      unmentioned;  ///< neither held nor dropped by them: only what a case says counts

 private:
  Result<std::string> make_keys();
  Result<Heard> heard(Clock::time_point until, const char* what);
  void keep_up(const Heard& heard);

  TrainerTarget target_;
  std::filesystem::path folder_;
  std::string endpoint_;
  std::optional<KeyPair> keys_;
  std::vector<std::string> transcript_;
  std::unique_ptr<Wire> wire_;
  Process process_;
  PeerId peer_;
  std::set<PeerId> greeted_;  ///< peers of the present socket that have said HELLO
  Hello hello_;
  Ready ready_;
  Beat beat_;
  std::vector<Report> reports_;  ///< all that came
  std::vector<Done> dones_;
  std::uint64_t next_trial_ = 0;
};

/// Whether a message, or what is held, is about this attempt.
template <class M>
bool is_of(const Assign& assign, const M& about) {
  return about.trial == assign.trial && about.attempt == assign.attempt;
}

template <class M>
Result<M> TrainerScript::expect(Milliseconds limit, const std::function<bool(const M&)>& fits) {
  const auto until = Clock::now() + limit;
  for (;;) {
    BETATUNE_TRY(const Heard next, heard(until, M::kType));
    const auto* found = std::get_if<M>(&next.message.value());
    if (found != nullptr && greeted_.contains(next.from) && fits(*found)) return *found;
  }
}

template <class M>
Status TrainerScript::never(Milliseconds time, const std::function<bool(const M&)>& fits) {
  const auto until = Clock::now() + time;
  while (Clock::now() < until) {
    auto next = wire_->next(until);
    if (!next) return Ok{};
    if (!next->message)
      return wrong("it sent what cannot be read: " + next->message.error().message);
    const auto* found = std::get_if<M>(&next->message.value());
    if (found != nullptr && fits(*found)) {
      return wrong(fmt::format("it sent {} all the same", M::kType));
    }
    keep_up(*next);
  }
  return Ok{};
}

}  // namespace betatune::tck
