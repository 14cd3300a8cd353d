#include "optimizer/tck/optimizer_script.hpp"

#include <fmt/format.h>
#include <fstream>

#include "transport/key_ring.hpp"
#include "transport/private_file.hpp"
#include "transport/random_hex.hpp"

namespace betatune::tck {

Trainer::Trainer(OptimizerScript& script, std::string name)
    : script_(script), name_(std::move(name)) {
  if (script_.key()) name_ = script_.key()->name + "/" + name_;
  reconnect();
}

void Trainer::reconnect() {
  wire_.reset();
  wire_ = std::make_unique<Wire>(ZmqSocket::Role::dealer, 'T', 'O', script_.transcript_lines());
  const Status connected = wire_->connect(script_.endpoint(), script_.key());
  BETATUNE_ASSERT(bool(connected));
  session_ = random_hex();
}

Hello Trainer::make_hello(int slots, std::vector<Held> held) const {
  Hello out;
  out.trainer = name_;
  out.session = session_;
  out.slots = slots;
  out.sdk = "betatune tck";
  out.held = std::move(held);
  return out;
}

Result<Welcome> Trainer::hello(int slots, std::vector<Held> held) {
  send(make_hello(slots, std::move(held)));
  return expect<Welcome>();
}

Result<Assign> Trainer::begin(int slots) {
  BETATUNE_TRY(const Welcome welcome, hello(slots));
  static_cast<void>(welcome);
  send(Ready{slots});
  return expect<Assign>();
}

Result<Assign> Trainer::next_assign() {
  send(Ready{1});
  return expect<Assign>();
}

Status Trainer::report(const Assign& assign, std::uint64_t seq, Step step, double loss) {
  send(Report{assign.trial, assign.attempt, seq, step, {{"loss", loss}}, {}});
  BETATUNE_TRY(const Ack ack, expect<Ack>([&](const Ack& each) {
                 return each.trial == assign.trial && each.seq >= seq;
               }));
  static_cast<void>(ack);
  return Ok{};
}

Result<Ack> Trainer::done(const Assign& assign, std::uint64_t final_seq, AttemptEnd end,
                          std::optional<FailureClass> failure) {
  send(Done{assign.trial, assign.attempt, final_seq, assign.until, end, failure, ""});
  return expect<Ack>([&](const Ack& each) { return each.trial == assign.trial && each.done; });
}

Status Trainer::run(const Assign& assign) {
  BETATUNE_CHECK(report(assign, 1, assign.until));
  BETATUNE_TRY(const Ack ack, done(assign, 1));
  static_cast<void>(ack);
  return Ok{};
}

void Trainer::send(const Message& message) {
  wire_->send({}, message);
}

void Trainer::send_frames(const Frames& frames) {
  wire_->send_frames({}, frames);
}

Result<Heard> Trainer::heard(Clock::time_point until, const char* what) {
  std::optional<Heard> next = next_while_alive(*wire_, script_.process(), until);
  if (!next) {
    return wrong(
        fmt::format("no {} came{}", what, last_words(script_.process(), script_.folder())));
  }
  if (!next->message) return wrong("it sent what cannot be read: " + next->message.error().message);
  return *std::move(next);
}

Result<Refusal> Trainer::refused(const std::string& code) {
  BETATUNE_TRY(const Refusal refusal, expect<Refusal>());
  if (refusal.code == code) return refusal;
  return wrong("ERROR `" + refusal.code + "` where `" + code + "` is due");
}

Status Trainer::is_known() {
  send(Beat{0, {}, {}});
  BETATUNE_TRY(const Beat beat, expect<Beat>());
  static_cast<void>(beat);
  return Ok{};
}

OptimizerScript::OptimizerScript(const OptimizerTarget& target, std::filesystem::path folder)
    : target_(target), folder_(std::move(folder)) {}

/// A socket in a folder of its own; with keys, a free port, whose server line asks for them.
Result<std::string> OptimizerScript::choose_address() {
  const std::filesystem::path inside = folder_ / "private";
  BETATUNE_CHECK(make_private_folder(inside));
  if (!target_.curve) {
    endpoint_ = "ipc://" + (inside / "o").string();
    return std::string("server: {lease: 2s}\n");
  }
  BETATUNE_TRY(const KeyRing ring, KeyRing::open(inside / "keys"));
  BETATUNE_TRY(key_, ring.issue({"kit", "", "", {}, 0}));
  {
    ZmqContext context;
    asio::io_context loop;
    BETATUNE_TRY(const auto probe, ZmqSocket::open(context, loop, ZmqSocket::Role::router));
    BETATUNE_CHECK(probe->bind("tcp://127.0.0.1:*"));
    endpoint_ = probe->endpoint();
  }
  return fmt::format("server: {{lease: 2s, keys: {}}}\n", ring.folder().string());
}

Status OptimizerScript::start(int trials) {
  BETATUNE_TRY(const std::string server, choose_address());
  std::ofstream(folder_ / "study.yaml")
      << "version: 1\nstudy: {name: tck, seed: 1}\nobjective: {metric: loss}\n"
         "parameters:\n  x: {type: float, min: 0, max: 1}\n"
         "fidelity: {name: step, min: 1, max: 5}\n"
         "algorithm: {name: random, scheduler: fifo}\n"
         "trainer: {external: true}\n"
         "trials: {retry: {infra: 3}}\n"
      << "storage: {path: " << (folder_ / "study").string() << "}\n"
      << "stopping: {trials: " << trials << "}\n"
      << server;
  return start_again();
}

Status OptimizerScript::start_again() {
  const auto argv = with_values(
      target_.command, {{"{address}", endpoint_}, {"{study}", (folder_ / "study.yaml").string()}});
  BETATUNE_TRY(process_, Process::start(argv, std::filesystem::current_path(), folder_ / "output"));
  return Ok{};
}

Trainer& OptimizerScript::trainer(const std::string& name) {
  return *trainers_.emplace_back(std::make_unique<Trainer>(*this, name));
}

}  // namespace betatune::tck
