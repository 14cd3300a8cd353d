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
    note = kept_stopped_text(static_cast<int>(i));
    signal_all(SIGKILL);
    return;
  }
}

Result<GangSockets> gang_sockets(int ranks) {
  GangSockets sockets;
  for (int rank = 1; rank < ranks; ++rank) {
    BETATUNE_TRY(auto pair, packet_pair());
    sockets.push_back(std::move(pair));
  }
  return sockets;
}

WorkerJob job_of_rank(const WorkerJob& job, int rank, GangSockets& sockets) {
  WorkerJob mine = job;
  mine.rank = rank;
  mine.gang_links.clear();
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    auto& [leader, follower] = sockets[i];
    if (rank == 0) mine.gang_links.push_back(leader.release());
    if (rank == static_cast<int>(i) + 1) mine.gang_links.push_back(follower.release());
  }
  sockets.clear();
  return mine;
}

}  // namespace betatune
