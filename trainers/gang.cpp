#include "trainers/gang.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <poll.h>
#include <unistd.h>

#include "searchspaces/schema.hpp"

namespace betatune {
namespace {

using std::chrono::milliseconds;

constexpr std::array<const char*, 4> kNames{"setup", "load", "train", "save"};
constexpr int kExitLeaderGone = 75;
constexpr unsigned kEndedWithin = 10;  // seconds

const char* name_of(GangOrder::What what) {
  return kNames[static_cast<std::size_t>(what)];
}

std::optional<GangOrder> order_of(const Json& json) {
  if (!json.is_object() || !json.contains("order")) return std::nullopt;
  const auto name = std::find(kNames.begin(), kNames.end(), json.at("order").get<std::string>());
  GangOrder order;
  order.what = static_cast<GangOrder::What>(name - kNames.begin());
  order.folder = json.at("folder");
  order.until = json.at("until");
  return order;
}

std::string rank_text(std::size_t index) {
  return "rank " + std::to_string(index + 1);
}

Error out_of_step(const std::string& what) {
  return Error{ErrorKind::invalid_argument,
               what + ": every rank of a trial calls report() at the same steps"};
}

}  // namespace

void GangLeader::tell(const std::string& packet) {
  // A rank that is gone ends the gang from outside; there is nobody to tell of it here.
  for (const int link : links_) static_cast<void>(send_packet(link, packet));
}

void GangLeader::order(const GangOrder& order) {
  ordered_ = order.what;
  if (links_.empty()) return;
  tell(json_text(
      {{"order", name_of(order.what)}, {"until", order.until}, {"folder", order.folder}}));
}

void GangLeader::answer(Step step, int verdict) {
  if (links_.empty()) return;
  tell(json_text({{"step", step}, {"verdict", verdict}}));
}

Status GangLeader::await_rank(std::size_t index, milliseconds until) const {
  pollfd link{links_[index], POLLIN, 0};
  const auto left = std::max(milliseconds(0), until - monotonic_ms());
  if (::poll(&link, 1, static_cast<int>(left.count())) <= 0) {
    return Error{ErrorKind::unavailable,
                 rank_text(index) + " is still busy with " + name_of(ordered_) +
                     " long after rank 0; if that is as it should be, raise "
                     "resources.rank_timeout"};
  }
  if (receive_packet(links_[index], false).state == Packet::State::arrived) return Ok{};
  return Error{ErrorKind::unavailable, rank_text(index) + " has ended"};
}

Status GangLeader::await(milliseconds patience) {
  if (links_.empty()) return Ok{};
  // A rank that still waits for a report of this one learns that none will come.
  tell(json_text({{"returned", name_of(ordered_)}}));
  const milliseconds until = monotonic_ms() + patience;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (gone_[i]) continue;
    Status done = await_rank(i, until);
    if (done) continue;
    if (group_of_.empty() || !may_end_alone(group_of_[i + 1])) return done;
    end_group(group_of_[i + 1], done.error().message);
  }
  return Ok{};
}

Status GangLeader::declare_groups(std::vector<int> group_of) {
  if (group_of.size() != links_.size() + 1) {
    return Error{ErrorKind::invalid_argument, "groups of " + std::to_string(group_of.size()) +
                                                  " ranks; the trial has " +
                                                  std::to_string(links_.size() + 1)};
  }
  group_of_ = std::move(group_of);
  // A fork server that is gone has ended this process, or is about to.
  static_cast<void>(send_packet(groups_line_, json_text({{"groups", group_of_}})));
  return Ok{};
}

bool GangLeader::may_end_alone(int group) const {
  return std::find(group_of_.begin(), group_of_.end(), group) != group_of_.end() &&
         group != group_of_.front();
}

bool GangLeader::all_gone(int group, milliseconds within) {
  const milliseconds until = monotonic_ms() + within;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    while (group_of_[i + 1] == group && !gone_[i]) {
      const Packet packet = receive_packet(links_[i], false);
      if (packet.state == Packet::State::closed) gone_[i] = true;
      if (packet.state != Packet::State::none_now) continue;
      pollfd link{links_[i], POLLIN, 0};
      const auto left = std::max(milliseconds(0), until - monotonic_ms());
      if (::poll(&link, 1, static_cast<int>(left.count())) <= 0) return false;
    }
  }
  return true;
}

void GangLeader::end_group(int group, const std::string& why) {
  if (!may_end_alone(group)) return;
  // The fork server sees deaths by itself, ends the group, and says better than this why.
  constexpr milliseconds kDeathsSpeakFirst{500}, kEnded{5'000};
  if (all_gone(group, kDeathsSpeakFirst)) return;
  static_cast<void>(send_packet(groups_line_, json_text({{"end", group}, {"why", why}})));
  all_gone(group, kEnded);
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (group_of_[i + 1] == group) gone_[i] = true;
  }
}

void GangFollower::await_end() {
  // Rank 0's end is what the fork server is to see first: it ends this process.
  ::sleep(kEndedWithin);
  ::_exit(kExitLeaderGone);
}

Result<GangOrder> GangFollower::next() {
  Json json;
  do {
    const Packet packet = receive_packet(link_, true);
    if (packet.state != Packet::State::arrived) await_end();
    json = Json::parse(packet.bytes, nullptr, false);
  } while (json.contains("returned"));
  if (const auto order = order_of(json)) return *order;
  return out_of_step("rank 0 reported step " + json.value("step", Json()).dump() +
                     ", and this rank returned without");
}

void GangFollower::did(GangOrder::What what) {
  // If rank 0 is gone, next() says so.
  static_cast<void>(send_packet(link_, json_text({{"did", name_of(what)}})));
}

Result<int> GangFollower::verdict(Step step) {
  const Packet packet = receive_packet(link_, true);
  if (packet.state != Packet::State::arrived) await_end();
  const Json json = Json::parse(packet.bytes, nullptr, false);
  if (json.value("step", Json()) == Json(step)) return json.at("verdict").get<int>();
  const std::string here = "this rank reported step " + std::to_string(step);
  if (!json.contains("step")) return out_of_step(here + ", and rank 0 returned without");
  return out_of_step(here + ", rank 0 step " + json.at("step").dump());
}

}  // namespace betatune
