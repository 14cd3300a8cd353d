/// What trainers wait for, at a steady load: the time from a REPORT to its durable ACK and to its
/// DECISION, beside bare libzmq (an echo without any work) in the same run. Over ipc and tcp, with
/// keys, with a peer that sends nonsense as fast as it can; the optimizer's memory; and a restart
/// under load.
///
/// One process plays all trainers: a ROUTER socket with one connection per trainer, so that the
/// optimizer sees as many peers as there would be.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <poll.h>
#include <queue>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <zmq.hpp>

#include "optimizer/tck/process.hpp"
#include "tests/support/temporary_directory.hpp"
#include "transport/codec.hpp"
#include "transport/key_file.hpp"
#include "transport/key_ring.hpp"

namespace {

using namespace betatune;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kReportsPerSecond = 1'000;
constexpr int kSteps = 27;
constexpr std::chrono::microseconds kBeat = std::chrono::seconds(5);
constexpr auto kMeasured = std::chrono::seconds(10);

struct Latencies {
  std::vector<double> ms;
  void add(Clock::time_point since) {
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - since).count());
  }
  double quantile(double q) {
    if (ms.empty()) return 0;
    std::sort(ms.begin(), ms.end());
    return ms[std::min(ms.size() - 1,
                       static_cast<std::size_t>(q * static_cast<double>(ms.size())))];
  }
};

/// One socket with a connection per trainer.
class Connections {
 public:
  Connections(const std::string& endpoint, int count, const TrainerKey* key) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, 0);
    socket_.set(zmq::sockopt::rcvhwm, 0);
    socket_.set(zmq::sockopt::reconnect_ivl, 50);
    if (key != nullptr) {
      socket_.set(zmq::sockopt::curve_serverkey, key->server);
      socket_.set(zmq::sockopt::curve_publickey, key->own.public_key);
      socket_.set(zmq::sockopt::curve_secretkey, key->own.secret_key);
    }
    for (int i = 0; i < count; ++i) {
      socket_.set(zmq::sockopt::connect_routing_id, std::to_string(i));
      socket_.connect(endpoint);
    }
  }
  void send(int to, const Frames& frames) {
    socket_.send(zmq::buffer(std::to_string(to)), zmq::send_flags::sndmore);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const bool last = i + 1 == frames.size();
      socket_.send(zmq::buffer(frames[i]), last ? zmq::send_flags::none : zmq::send_flags::sndmore);
    }
  }
  /// The trainer that a message is for; nothing when none came within `wait`.
  std::optional<int> receive(Frames& into, milliseconds wait) {
    zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
    if (wait.count() > 0) zmq::poll(&item, 1, wait);
    zmq::message_t frame;
    if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
    const int from = std::stoi(frame.to_string());
    into.clear();
    while (socket_.get(zmq::sockopt::rcvmore)) {
      static_cast<void>(socket_.recv(frame));
      into.push_back(frame.to_string());
    }
    return from;
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_{context_, ZMQ_ROUTER};
};

struct Due {
  Clock::time_point when;
  int trainer;
  bool operator>(const Due& other) const { return when > other.when; }
};

struct Figures {
  Latencies acks, decisions;
  double joined_s = 0;
  std::size_t sent = 0;
};

/// Trainers that train nothing: one slot each, a report every so often.
class Trainers {
 public:
  Trainers(Connections& connections, int count, std::string prefix, std::string token)
      : connections_(connections), prefix_(std::move(prefix)), token_(std::move(token)) {
    all_.resize(static_cast<std::size_t>(count));
    every_ = std::chrono::microseconds(std::int64_t{1'000'000} * count / kReportsPerSecond);
  }

  /// HELLO of everybody, until everybody is welcome; returns the seconds that took.
  double join() {
    const auto begin = Clock::now();
    std::size_t welcome = 0;
    for (Trainer& each : all_) each.welcome = false;
    auto again = begin;
    while (welcome < all_.size()) {
      if (Clock::now() >= again) {
        for (std::size_t i = 0; i < all_.size(); ++i) {
          if (!all_[i].welcome) hello(static_cast<int>(i));
        }
        again = Clock::now() + std::chrono::seconds(1);
      }
      Frames frames;
      const auto from = connections_.receive(frames, milliseconds(10));
      if (!from) continue;
      const auto message = decode_message(frames);
      if (message && std::holds_alternative<Welcome>(message.value())) {
        Trainer& trainer = all_[static_cast<std::size_t>(*from)];
        if (!std::exchange(trainer.welcome, true)) ++welcome;
      }
      if (Clock::now() - begin > std::chrono::seconds(60)) {
        std::fprintf(stderr, "%zu of %zu trainers were welcomed in a minute\n", welcome,
                     all_.size());
        std::exit(1);
      }
    }
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  void ready() {
    const auto now = Clock::now();
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].assign) {
        plan(static_cast<int>(i),
             now + every_ * static_cast<int>(i) / static_cast<int>(all_.size()));
      } else {
        say(static_cast<int>(i), Ready{1});
      }
    }
    next_beat_ = now;
  }

  /// Reports for so long; what is measured begins after a second.
  void run(Figures& figures, Clock::duration time) {
    const auto begin = Clock::now();
    const auto from = begin + std::chrono::seconds(1);
    while (Clock::now() < begin + time) {
      const auto now = Clock::now();
      while (!due_.empty() && due_.top().when <= now) {
        const Due due = due_.top();
        due_.pop();
        if (of(due.trainer).due == due.when && report(due.trainer)) ++figures.sent;
      }
      for (; next_beat_ <= now; next_beat_ += kBeat / static_cast<int>(all_.size())) beat();
      const auto until = due_.empty() ? now + milliseconds(5) : due_.top().when;
      const auto wait = std::chrono::ceil<milliseconds>(until - Clock::now());
      Frames frames;
      auto who = connections_.receive(frames, std::clamp(wait, milliseconds(0), milliseconds(5)));
      while (who) {
        hear(*who, frames, Clock::now() >= from ? &figures : nullptr);
        who = connections_.receive(frames, milliseconds(0));
      }
    }
  }

 private:
  /// One report is due at a time: a new trial's takes the place of the old one's.
  void plan(int i, Clock::time_point when) {
    of(i).due = when;
    due_.push({when, i});
  }

  struct Trainer {
    bool welcome = false, begun = false;
    std::optional<Assign> assign;
    std::uint64_t seq = 0;
    Step step = 0;
    Clock::time_point sent, due;
    int session = 0;
  };

  void say(int to, const Message& message) { connections_.send(to, encode_message(message)); }
  Trainer& of(int i) { return all_[static_cast<std::size_t>(i)]; }

  void hello(int i) {
    Hello hello;
    hello.trainer = prefix_ + std::to_string(i);
    char session[33];
    std::snprintf(session, sizeof session, "%016x%016x", i, ++of(i).session);
    hello.session = session;
    hello.token = token_;
    if (of(i).assign) {
      hello.held.push_back({of(i).assign->trial, of(i).assign->attempt, of(i).seq, of(i).step});
    }
    say(i, hello);
  }

  /// One trainer at a time: real ones do not beat at once.
  void beat() {
    beating_ = (beating_ + 1) % static_cast<int>(all_.size());
    Beat beat;
    const Trainer& each = of(beating_);
    if (each.assign) {
      beat.held.push_back({each.assign->trial, each.assign->attempt, each.seq, each.step});
    }
    say(beating_, beat);
  }

  bool report(int i) {
    Trainer& trainer = of(i);
    if (!trainer.assign || trainer.step >= trainer.assign->until) return false;
    Report report;
    report.trial = trainer.assign->trial;
    report.attempt = trainer.assign->attempt;
    report.seq = ++trainer.seq;
    report.step = ++trainer.step;
    report.metrics["loss"] =
        static_cast<double>(report.trial.n * 7919 % 1000) + 1.0 / static_cast<double>(report.step);
    trainer.sent = Clock::now();
    say(i, report);
    if (trainer.step < trainer.assign->until) plan(i, trainer.sent + every_);
    return true;
  }

  void end(int i, AttemptEnd how) {
    Trainer& trainer = of(i);
    say(i, Done{trainer.assign->trial,
                trainer.assign->attempt,
                trainer.seq,
                trainer.step,
                how,
                {},
                ""});
  }

  void hear(int i, const Frames& frames, Figures* figures) {
    Trainer& trainer = of(i);
    const auto message = decode_message(frames);
    if (!message) return;
    if (const auto* assign = std::get_if<Assign>(&message.value())) {
      if (trainer.assign) return;
      trainer.assign = *assign;
      trainer.seq = 0;
      trainer.step = assign->from;
      // All begin at once here, and would report at once for ever.
      const int count = static_cast<int>(all_.size());
      plan(i, Clock::now() + (std::exchange(trainer.begun, true) ? every_ : every_ * i / count));
    } else if (const auto* ack = std::get_if<Ack>(&message.value())) {
      if (!trainer.assign || ack->trial != trainer.assign->trial) return;
      if (ack->done) {
        trainer.assign.reset();
        return say(i, Ready{1});
      }
      if (ack->seq != trainer.seq) return;
      if (figures != nullptr) figures->acks.add(trainer.sent);
      if (trainer.step >= trainer.assign->until) end(i, AttemptEnd::reached);
    } else if (std::holds_alternative<Decision>(message.value())) {
      if (!trainer.assign) return;
      if (figures != nullptr) figures->decisions.add(trainer.sent);
      end(i, AttemptEnd::stopped);
    }
  }

  Connections& connections_;
  std::string prefix_, token_;
  std::vector<Trainer> all_;
  std::chrono::microseconds every_{};
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Clock::time_point next_beat_;
  int beating_ = 0;
};

/// `betatune run` of a study for trainers of others.
class Optimizer {
 public:
  Optimizer(const std::string& bind, bool keys) : folder_(directory_.path()) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: load, seed: 1}\nobjective: {metric: loss}\n"
           "parameters: {x: {type: float, min: 0, max: 1}}\nfidelity: {max: "
        << kSteps
        << ", resumable: false}\nalgorithm: {name: random, scheduler: {name: asha, mode: stop}}\n"
           "stopping: {trials: 10000000}\ntrainer: {external: true}\nserver: {bind: '"
        << bind << "'" << (keys ? ", keys: keys" : "") << "}\n";
    if (keys) {
      const auto ring = KeyRing::open(folder_ / "keys");
      auto issued = ring.value().issue(KeyGrant{"bench", "", "", {}, 0});
      key_ = std::move(issued).value();
    }
    start();
  }

  void start() {
    const fs::path output = folder_ / "output.txt";
    fs::remove(output);
    auto process = tck::Process::start({program(), "run", "study.yaml"}, folder_, output);
    process_ = std::move(process).value();
    for (int i = 0; i < 1'000; ++i) {
      std::ifstream file(output);
      const std::string said{std::istreambuf_iterator<char>(file), {}};
      for (const char* scheme : {"ipc://", "tcp://"}) {
        const std::size_t at = said.find(scheme);
        if (at == std::string::npos) continue;
        const std::size_t end = said.find_first_of(" ,\n", at);
        if (end == std::string::npos) continue;
        endpoint_ = said.substr(at, end - at);
        return;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    std::fprintf(stderr, "the optimizer does not say where it listens\n");
    std::exit(1);
  }
  void kill() { process_.kill(); }

  const std::string& endpoint() const { return endpoint_; }
  const TrainerKey* key() const { return key_ ? &*key_ : nullptr; }
  std::string token() const {
    std::ifstream file(folder_ / "runs/load/token");
    std::string text;
    file >> text;
    return text;
  }
  double memory_mib() const {
    std::ifstream lock(folder_ / "runs/load/study.lock");
    int pid = 0;
    lock >> pid;
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string word; status >> word;) {
      if (word != "VmRSS:") continue;
      double kib = 0;
      status >> kib;
      return kib / 1024;
    }
    return 0;
  }

 private:
  static std::string program() {
    return (fs::read_symlink("/proc/self/exe").parent_path() / "betatune").string();
  }

  support::TemporaryDirectory directory_;
  fs::path folder_;
  std::optional<TrainerKey> key_;
  std::string endpoint_;
  tck::Process process_;
};

/// Sends what cannot be read, as fast as the connection takes it.
class Hostile {
 public:
  explicit Hostile(const std::string& endpoint)
      : thread_([this, endpoint] {
          zmq::context_t context;
          zmq::socket_t socket(context, ZMQ_DEALER);
          socket.set(zmq::sockopt::linger, 0);
          socket.set(zmq::sockopt::sndtimeo, 100);
          socket.connect(endpoint);
          zmq::message_t answer;
          while (!stop_) {
            socket.send(zmq::str_buffer("BTP1"), zmq::send_flags::sndmore);
            socket.send(zmq::str_buffer("REPORT"), zmq::send_flags::sndmore);
            if (socket.send(zmq::str_buffer("{\"trial\": [[[[nonsense"), zmq::send_flags::none))
              ++sent_;
            while (socket.recv(answer, zmq::recv_flags::dontwait)) {
            }
          }
        }) {}
  ~Hostile() {
    stop_ = true;
    thread_.join();
  }
  std::size_t sent() const { return sent_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> sent_{0};
  std::thread thread_;
};

/// Answers every message with as many bytes as an ACK has, in a process of its own.
pid_t start_echo(const std::string& endpoint) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  zmq::context_t context;
  zmq::socket_t socket(context, ZMQ_ROUTER);
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.bind(endpoint);
  const Frames ack = encode_message(Ack{TrialId{1}, AttemptId{1}, 1, false});
  for (;;) {
    zmq::message_t peer, frame;
    static_cast<void>(socket.recv(peer));
    while (socket.get(zmq::sockopt::rcvmore)) static_cast<void>(socket.recv(frame));
    socket.send(peer, zmq::send_flags::sndmore);
    for (std::size_t i = 0; i < ack.size(); ++i) {
      socket.send(zmq::buffer(ack[i]),
                  i + 1 == ack.size() ? zmq::send_flags::none : zmq::send_flags::sndmore);
    }
  }
}

Figures measure_echo(int trainers) {
  const support::TemporaryDirectory directory;
  const std::string endpoint = "ipc://" + (directory.path() / "echo").string();
  const pid_t echo = start_echo(endpoint);
  Figures figures;
  {
    Connections connections(endpoint, trainers, nullptr);
    const Frames report = encode_message(
        Report{TrialId{1'000}, AttemptId{1}, 5, 5, {{"loss", 0.123456789}}, std::nullopt});
    std::vector<Clock::time_point> sent(static_cast<std::size_t>(trainers));
    const auto begin = Clock::now();
    const auto every = std::chrono::microseconds(1'000'000 / kReportsPerSecond);
    int next = 0;
    for (auto due = begin; due < begin + kMeasured;) {
      if (Clock::now() >= due) {
        sent[static_cast<std::size_t>(next)] = Clock::now();
        connections.send(next, report);
        next = (next + 1) % trainers;
        due += every;
        ++figures.sent;
      }
      Frames frames;
      const auto wait = std::chrono::ceil<milliseconds>(due - Clock::now());
      auto who = connections.receive(frames, std::clamp(wait, milliseconds(0), milliseconds(5)));
      for (; who; who = connections.receive(frames, milliseconds(0))) {
        if (Clock::now() > begin + std::chrono::seconds(1)) {
          figures.acks.add(sent[static_cast<std::size_t>(*who)]);
        }
      }
    }
  }
  ::kill(echo, SIGKILL);
  ::waitpid(echo, nullptr, 0);
  return figures;
}

void row(const char* what, int trainers, Figures& figures, double memory) {
  std::printf("%-28s %8d %9.0f %9.2f %9.2f %9.2f %9.2f %9.2f %8.1f\n", what, trainers,
              static_cast<double>(figures.sent) / std::chrono::duration<double>(kMeasured).count(),
              figures.joined_s, figures.acks.quantile(0.5), figures.acks.quantile(0.99),
              figures.decisions.quantile(0.5), figures.decisions.quantile(0.99), memory);
  std::fflush(stdout);
}

void measure(const char* what, const std::string& bind, int count, bool keys, bool hostile) {
  Optimizer optimizer(bind, keys);
  Connections connections(optimizer.endpoint(), count, optimizer.key());
  Trainers trainers(connections, count, "bench/", optimizer.token());
  Figures figures;
  figures.joined_s = trainers.join();
  trainers.ready();
  std::unique_ptr<Hostile> enemy;
  if (hostile) enemy = std::make_unique<Hostile>(optimizer.endpoint());
  trainers.run(figures, kMeasured);
  row(what, count, figures, optimizer.memory_mib());
  if (enemy) {
    std::printf("  (%zu messages that cannot be read were sent beside)\n", enemy->sent());
  }
}

void measure_restart(int count) {
  Optimizer optimizer("ipc://auto", false);
  Connections connections(optimizer.endpoint(), count, nullptr);
  Trainers trainers(connections, count, "bench/", "");
  Figures before;
  trainers.join();
  trainers.ready();
  trainers.run(before, std::chrono::seconds(4));
  optimizer.kill();
  optimizer.start();
  const double took = trainers.join();
  std::printf("%d trainers, the optimizer killed and started again: all are back after %.2f s\n",
              count, took);
}

}  // namespace

int main() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::printf("%-28s %8s %9s %9s %9s %9s %9s %9s %8s\n", "", "trainers", "reports/s", "joined s",
              "ACK p50", "ACK p99", "DEC p50", "DEC p99", "MiB");
  for (const int count : {1'000, 3'000}) {
    Figures echo = measure_echo(count);
    row("libzmq alone, ipc", count, echo, 0);
    measure("betatune, ipc", "ipc://auto", count, false, false);
  }
  measure("betatune, tcp", "tcp://127.0.0.1:*", 1'000, false, false);
  measure("betatune, tcp, keys", "tcp://127.0.0.1:*", 1'000, true, false);
  measure("betatune, ipc, hostile peer", "ipc://auto", 1'000, false, true);
  std::printf("latencies in ms\n");
  measure_restart(3'000);
  return 0;
}
