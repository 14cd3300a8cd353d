#include "trainers/rank_process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <unistd.h>

#include "trainers/processes.hpp"

namespace betatune {
namespace {

constexpr std::int64_t kStoppedMs = 5'000;

}  // namespace

void RankProcess::read_output(int reads_max) {
  std::array<char, 16'384> bytes{};
  for (int i = 0; i < reads_max && output; ++i) {
    const ssize_t got = ::read(output.get(), bytes.data(), bytes.size());
    if (got < 0) return;
    if (got == 0) output.reset();
    log.append({bytes.data(), static_cast<std::size_t>(got)});
  }
}

bool is_kept_stopped(pid_t pid, std::int64_t now_ms, std::int64_t& since_ms) {
  if (!is_stopped(pid)) {
    since_ms = 0;
    return false;
  }
  if (since_ms == 0) since_ms = now_ms;
  return now_ms - since_ms >= kStoppedMs;
}

std::string kept_stopped_text(int rank) {
  return "rank " + std::to_string(rank) + " was stopped (SIGSTOP) and kept the others waiting";
}

bool AttemptProcesses::alive() const {
  return std::any_of(ranks.begin(), ranks.end(), [](const auto& rank) { return rank.alive; });
}

void AttemptProcesses::signal_all(int signal) const {
  // The group's number is its own while one of its processes is there, be it unreaped.
  if (alive()) ::kill(-ranks.front().pid, signal);
}

std::optional<std::size_t> AttemptProcesses::rank_of(pid_t pid) const {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i].alive && ranks[i].pid == pid) return i;
  }
  return std::nullopt;
}

void AttemptProcesses::end_if_stopped(std::int64_t now_ms) {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    RankProcess& rank = ranks[i];
    if (!rank.alive || !is_kept_stopped(rank.pid, now_ms, rank.stopped_since_ms)) continue;
    const std::string why = kept_stopped_text(static_cast<int>(i));
    if (ends_alone(i)) {
      end_group(group_of[i], why);
      continue;
    }
    note = why;
    signal_all(SIGKILL);
    return;
  }
}

void AttemptProcesses::hear_of_groups() {
  while (groups_line) {
    const Packet packet = receive_packet(groups_line.get(), false);
    if (packet.state == Packet::State::none_now) return;
    if (packet.state == Packet::State::closed) return groups_line.reset();
    const Json json = Json::parse(packet.bytes, nullptr, false);
    if (json.contains("groups")) group_of = json.at("groups").get<std::vector<int>>();
    if (json.contains("end")) asked_.emplace_back(json.at("end"), json.at("why"));
  }
}

void AttemptProcesses::end_asked_groups() {
  for (const auto& [group, why] : asked_) {
    const auto member = std::find(group_of.begin(), group_of.end(), group);
    if (member == group_of.end()) continue;
    if (!ends_alone(static_cast<std::size_t>(member - group_of.begin()))) continue;
    end_group(group, why);
  }
  asked_.clear();
}

bool AttemptProcesses::ends_alone(std::size_t rank) const {
  // Ranks of an attempt that is ending end by that.
  const bool ending = first.has_value() || kill_at_ms != 0;
  return !ending && rank < group_of.size() && group_of[rank] != group_of.front();
}

void AttemptProcesses::kill_group(int group) const {
  // What they have started is ended as strays.
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i].alive && group_of[i] == group) ::kill(ranks[i].pid, SIGKILL);
  }
}

void AttemptProcesses::end_group(int group, const std::string& why) {
  note_group_end(group, why);
  kill_group(group);
}

void AttemptProcesses::note_group_end(int group, const std::string& why) {
  if (!ended_groups.insert(group).second) return;
  std::string members;
  for (std::size_t i = 0; i < group_of.size(); ++i) {
    if (group_of[i] == group) members += (members.empty() ? "" : ", ") + std::to_string(i);
  }
  ranks.front().log.append("[warning] group " + std::to_string(group) + " (ranks " + members +
                           ") has ended, the others go on: " + why + '\n');
}

Result<GangSockets> gang_sockets(int ranks) {
  GangSockets sockets;
  for (int rank = 1; rank < ranks; ++rank) {
    BETATUNE_TRY(auto pair, packet_pair());
    sockets.links.push_back(std::move(pair));
  }
  if (ranks > 1) {
    BETATUNE_TRY(sockets.groups_line, packet_pair());
  }
  return sockets;
}

WorkerJob job_of_rank(const WorkerJob& job, int rank, GangSockets& sockets) {
  WorkerJob mine = job;
  mine.rank = rank;
  mine.gang_links.clear();
  for (std::size_t i = 0; i < sockets.links.size(); ++i) {
    auto& [leader, follower] = sockets.links[i];
    if (rank == 0) mine.gang_links.push_back(leader.release());
    if (rank == static_cast<int>(i) + 1) mine.gang_links.push_back(follower.release());
  }
  mine.groups_line = rank == 0 ? sockets.groups_line.second.release() : -1;
  sockets = {};
  return mine;
}

}  // namespace betatune
