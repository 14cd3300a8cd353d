#include "optimizer/gate.hpp"

#include <fmt/format.h>

#include "optimizer/launcher.hpp"
#include "searchspaces/log.hpp"

namespace betatune {
namespace {

constexpr const char* kLocal = "local";
// Frames of a request behind the envelope: version, id, domain, address, routing id, mechanism,
// credentials. source: ZeroMQ RFC 27
constexpr std::size_t kVersion = 1, kRequest = 2, kMechanism = 6, kCredentials = 7;

/// Who comes with a foreign key comes again and again, and must not fill the log.
constexpr std::uint64_t kTurnedAwayLogged = 10;

Refusal bad_key(std::string message) {
  return Refusal{"bad_key", true, std::move(message), {}, {}};
}

}  // namespace

bool speaks_for(const std::string& key, const TrainerId& trainer) {
  if (key == kLocal && trainer.starts_with(kLaunchedPrefix)) return true;
  return trainer == key || trainer.starts_with(key + "/");
}

Gate::Gate(ZmqContext& context, asio::io_context& loop, KeyRing keys, std::string local_key)
    : context_(context), loop_(loop), keys_(std::move(keys)), local_key_(std::move(local_key)) {}

Status Gate::open() {
  BETATUNE_CHECK(read_grants());
  BETATUNE_TRY(requests_, ZmqSocket::open(context_, loop_, ZmqSocket::Role::router));
  BETATUNE_CHECK(requests_->bind("inproc://zeromq.zap.01"));
  requests_->start([this] { answer_requests(); });
  return Ok{};
}

Status Gate::read_grants() {
  BETATUNE_TRY(std::vector<KeyGrant> grants, keys_.grants());
  allowed_.clear();
  for (KeyGrant& each : grants) {
    std::string key = each.public_key;
    allowed_.emplace(std::move(key), std::move(each));
  }
  if (!local_key_.empty()) allowed_[local_key_] = KeyGrant{kLocal, local_key_, "", {}, 0};
  return Ok{};
}

std::vector<PeerId> Gate::refresh(const Roster& roster) {
  const Status read = read_grants();
  if (!read && !complained_)
    log().warn("{}; allowing whom it allowed before", read.error().message);
  complained_ = !read;
  std::erase_if(sessions_, [&](const auto& each) { return !roster.knows(each.first); });
  std::vector<PeerId> revoked;
  for (const auto& [peer, key] : sessions_) {
    if (!allowed_.contains(key)) revoked.push_back(peer);
  }
  return revoked;
}

void Gate::turn_away() {
  ++turned_away_;
  if (turned_away_ > kTurnedAwayLogged) return;
  log().warn("a connection with a key that is not allowed was refused{}",
             turned_away_ == kTurnedAwayLogged ? "; further ones are counted only" : "");
}

void Gate::answer_requests() {
  Delivery request;
  while (requests_->receive(request)) {
    const Frames& frames = request.frames;
    const bool whole = frames.size() > kCredentials && frames[kVersion] == "1.0";
    if (!whole) continue;
    const std::string key =
        frames[kMechanism] == "CURVE" ? z85_key(frames[kCredentials]) : std::string();
    // A key that was made a moment ago counts at once.
    if (!allowed_.contains(key)) static_cast<void>(read_grants());
    const bool fine = !key.empty() && allowed_.contains(key);
    if (!fine) turn_away();
    requests_->send(request.from, {"", "1.0", frames[kRequest], fine ? "200" : "400",
                                   fine ? "OK" : "not allowed", fine ? key : "", ""});
  }
}

std::optional<Refusal> Gate::objection(const Delivery& delivery, const Message& message,
                                       const Roster& roster) {
  const auto grant = allowed_.find(delivery.key);
  if (grant == allowed_.end()) {
    return bad_key(
        "this key is not allowed any more; `betatune key new`, where the optimizer runs, "
        "makes one");
  }
  const auto* hello = std::get_if<Hello>(&message);
  const auto session = sessions_.find(delivery.from);
  if (session != sessions_.end() && session->second != delivery.key) {
    return bad_key("this session began with another key");
  }
  if (hello == nullptr) return std::nullopt;
  if (auto objection = objection_to_hello(grant->second, *hello, roster)) return objection;
  sessions_[delivery.from] = delivery.key;
  return std::nullopt;
}

std::optional<Refusal> Gate::objection_to_hello(const KeyGrant& grant, const Hello& hello,
                                                const Roster& roster) const {
  if (!speaks_for(grant.name, hello.trainer)) {
    return bad_key(
        fmt::format("with the key `{0}` a trainer is named `{0}` or `{0}/...`", grant.name));
  }
  if (!grant.slots) return std::nullopt;
  std::int64_t slots = hello.slots;
  for (const auto& [name, trainer] : roster.all()) {
    if (name != hello.trainer && speaks_for(grant.name, name)) slots += trainer.slots;
  }
  if (slots <= *grant.slots) return std::nullopt;
  return Refusal{
      "too_many_slots",
      true,
      fmt::format("the trainers of the key `{}` may offer {} slots together, these would "
                  "be {}",
                  grant.name, *grant.slots, slots),
      {},
      {}};
}

}  // namespace betatune
