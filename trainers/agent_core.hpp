#pragma once
/// What a trainer does, as a pure class: messages, the fates of workers and a monotonic time in;
/// messages to send and workers to start, tell or end out. The sockets and processes are
/// agent.hpp's.
///
/// Nothing that a worker reported is forgotten before the optimizer has acknowledged it: while the
/// optimizer is away, work goes on and its reports wait here.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "trainers/failures.hpp"
#include "trainers/work_key.hpp"
#include "trainers/worker_link.hpp"
#include "transport/message.hpp"

namespace betatune {

using Milliseconds = std::chrono::milliseconds;

struct AgentOptions {
  TrainerId name;
  std::string token;
  int slots = 1;
  Milliseconds patience{3'600'000};  ///< without an optimizer, then exit 75; 0: for ever
  Milliseconds stop_grace{30'000};   ///< from a stop decision to the worker's end by force
};

/// To be carried out in order.
struct SendMessage {
  Message message;
};
/// Close the socket and connect afresh (a new routing id); then call connected().
struct NewSession {};
struct StartWork {
  WorkKey key;
  Assign assign;
};
struct TellWork {
  WorkKey key;
  Action action = Action::stop;
};
/// End the worker's processes by force: SIGTERM, a while later SIGKILL.
struct EndWork {
  WorkKey key;
  bool unwanted = false;  ///< and nobody waits for what it has made
};
struct Leave {
  int status = 0;
  std::string reason;
};
using AgentEffect = std::variant<SendMessage, NewSession, StartWork, TellWork, EndWork, Leave>;
using AgentEffects = std::vector<AgentEffect>;

/// Exit statuses of betatune-trainer (docs: exit codes).
inline constexpr int kExitUsage = 2;
inline constexpr int kExitAuthentication = 7;
inline constexpr int kExitResumable = 75;

/// Reports of one attempt that wait here before its worker is made to wait.
inline constexpr std::size_t kReportsHeld = 4'096;

/// One attempt from its ASSIGN until its DONE is acknowledged.
struct Work {
  enum class State { waiting, running, ended };

  Assign assign;
  State state = State::waiting;
  bool unwanted = false;       ///< dropped or stale: end it, tell nobody
  std::deque<Report> reports;  ///< made and not acknowledged, ascending seq
  std::uint64_t last_seq = 0;  ///< of the last report made
  std::uint64_t sent_seq = 0;  ///< of the last one sent in this session
  Step step = 0;
  Action told = Action::go_on;
  bool end_asked = false;
  std::optional<WorkerEnd> said;          ///< the worker's own word on how it ended
  std::optional<AttemptFailure> imposed;  ///< a limit ended it
  std::optional<Done> done;
  bool done_sent = false;
  Milliseconds done_sent_at{0}, started{0}, heard{0}, told_at{0};
  Milliseconds moved_at{0};  ///< when a report was last sent first, or acknowledged
  std::optional<Milliseconds> travels_since;  ///< see AgentCore::files_travel()
};

/// No credit that could be told: the next comparison differs, and READY is sent.
inline constexpr int kCreditUnsaid = -1;

class AgentCore {
 public:
  explicit AgentCore(AgentOptions options);

  AgentEffects connected(const std::string& session, Milliseconds now);
  /// The connection broke, as far as the transport can tell.
  AgentEffects disconnected(Milliseconds now);
  AgentEffects received(const Message& message, Milliseconds now);
  AgentEffects work_said(const WorkKey& key, const WorkerMessage& message, Milliseconds now);
  /// All its processes are gone.
  AgentEffects work_ended(const WorkKey& key, const ProcessEnd& end, Milliseconds now);
  /// It could not even begin: the plug-in is missing, or does not load.
  AgentEffects work_failed(const WorkKey& key, const AttemptFailure& failure, Milliseconds now);
  /// The attempt's process has not begun yet (its files are on the way, its GPUs are not free), or
  /// is over and leaves files: the limits of time do not count until it begins.
  void files_travel(const WorkKey& key, bool travel, Milliseconds now);
  AgentEffects tick(Milliseconds now);
  /// Finishes what runs, takes no more, leaves.
  AgentEffects drain(const std::string& reason, Milliseconds now);
  /// Saves what runs where it can, then leaves.
  AgentEffects hurry(const std::string& reason, Milliseconds now);

  /// False while the reports of this attempt are too many to hold: its worker waits.
  bool may_read(const WorkKey& key) const;
  const std::map<WorkKey, Work>& work() const { return work_; }
  bool welcome() const { return session_ == Session::welcome; }

 private:
  enum class Session { none, greeting, welcome };

  void on(const Welcome& welcome, Milliseconds now);
  void on(const Assign& assign, Milliseconds now);
  void on(const Ack& ack, Milliseconds now);
  void on(const Decision& decision, Milliseconds now);
  void on(const Beat& beat, Milliseconds now);
  void on(const Bye& bye, Milliseconds now);
  void on(const Refusal& refusal, Milliseconds now);
  template <class Other>
  void on(const Other&, Milliseconds) {}  // a trainer's own verbs, sent back: ignored

  void send(Message message) { effects_.emplace_back(SendMessage{std::move(message)}); }
  void new_session(Milliseconds now);
  void tick_session(Milliseconds now);
  void tick_work(const WorkKey& key, Work& work, Milliseconds now);
  void impose(const WorkKey& key, Work& work, const std::string& limit);
  void tell(const WorkKey& key, Work& work, Action action, Milliseconds now);
  void unwant(const WorkKey& key);
  void ask_to_end(const WorkKey& key, Work& work);
  void finish(const WorkKey& key, WorkerEnd end, Milliseconds now);
  WorkerEnd judge(const Work& work, const ProcessEnd& end) const;
  void pump(Work& work, Milliseconds now);
  void pump_all(Milliseconds now);
  void start_waiting(Milliseconds now);
  void tell_credit();
  void leave_if_done(Milliseconds now);
  void leave(int status, const std::string& reason);
  std::vector<Held> held() const;
  int slots_of(const Assign& assign) const;
  int busy() const;
  /// What every public function ends with.
  AgentEffects settle(Milliseconds now);

  AgentOptions options_;
  AgentEffects effects_;
  std::map<WorkKey, Work> work_;
  Session session_ = Session::none;
  Welcome terms_;
  int told_credit_ = 0;
  bool draining_ = false;
  bool hurrying_ = false;
  bool left_ = false;
  std::string leave_reason_;
  int leave_status_ = 0;
  std::optional<Milliseconds> heard_;  ///< from the optimizer
  Milliseconds greeted_{0}, beat_sent_{0}, left_by_{0};
  Milliseconds greeting_patience_{1'000};
};

}  // namespace betatune
