#include "trainers/torch/distributed/asynchronous/group_meeting.hpp"

#include <algorithm>
#include <array>
#include <poll.h>

#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {
namespace {

using std::chrono::milliseconds;
using Head = std::array<std::uint64_t, 2>;

constexpr milliseconds kLook{50};  // how often signs are looked for

iovec part(std::span<const std::byte> bytes) {
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

iovec part(const Head& head) {
  return part(std::as_bytes(std::span(head)));
}

[[noreturn]] void fail_of(int rank, const std::string& problem) {
  throw plugin::Failure(BETATUNE_INFRA, "rank " + std::to_string(rank) + ' ' + problem);
}

/// They made different calls: a bug, which no other attempt heals.
[[noreturn]] void out_of_step(int rank, const Head& found, const Head& expected) {
  throw plugin::Failure(
      BETATUNE_ERROR, "rank " + std::to_string(rank) + " is at meeting " +
                          std::to_string(found[0]) + " with " + std::to_string(found[1]) +
                          " bytes, this rank at meeting " + std::to_string(expected[0]) + " with " +
                          std::to_string(expected[1]));
}

}  // namespace

MeetingKeeper::MeetingKeeper(Settings settings)
    : settings_(std::move(settings)),
      listener_(listen_at(settings_.address)),
      sockets_(settings_.group_of.size()),
      given_(settings_.group_of.size()) {
  const int groups = *std::max_element(settings_.group_of.begin(), settings_.group_of.end()) + 1;
  signs_.resize(static_cast<std::size_t>(groups));
}

void MeetingKeeper::admit(milliseconds within) {
  const Deadline deadline = SteadyClock::now() + within;
  for (int missing = ranks() - 1; missing > 0;) {
    Socket socket = accept_from(listener_.socket);
    if (!socket) {
      pollfd wanted{listener_.socket.fd(), POLLIN, 0};
      ::poll(&wanted, 1, static_cast<int>(kLook.count()));
      if (SteadyClock::now() < deadline) continue;
      fail_of(0, "waited in vain for " + std::to_string(missing) + " rank(s) to meet");
    }
    Head hello{};
    try {
      receive_all(socket, {part(hello)}, deadline);
    } catch (const ConnectionLost& lost) {
      fail_of(0, std::string("has lost a rank that came to meet: ") + lost.what());
    }
    const bool known = hello[0] > 0 && hello[0] < sockets_.size() && !sockets_[hello[0]];
    if (!known || hello[1] != 0) fail_of(0, "was met by what is no rank of this training");
    sockets_[hello[0]] = std::move(socket);
    --missing;
  }
}

GroupMeeting::Present MeetingKeeper::present() const {
  Present there(signs_.size(), false);
  there[static_cast<std::size_t>(group_of(0))] = true;
  for (int rank = 1; rank < ranks(); ++rank) {
    if (sockets_[static_cast<std::size_t>(rank)]) {
      there[static_cast<std::size_t>(group_of(rank))] = true;
    }
  }
  return there;
}

void MeetingKeeper::give_up(int rank, const std::string& why) {
  const int group = group_of(rank);
  if (group == group_of(0)) fail_of(rank, why);
  for (int other = 1; other < ranks(); ++other) {
    if (group_of(other) == group) sockets_[static_cast<std::size_t>(other)].close();
  }
  lost_.push_back({group, "rank " + std::to_string(rank) + ' ' + why});
}

void MeetingKeeper::take(int rank, std::size_t bytes) {
  const auto at = static_cast<std::size_t>(rank);
  const Deadline deadline = SteadyClock::now() + settings_.patience;
  Head head{};
  receive_all(sockets_[at], {part(head)}, deadline);
  const Head expected{meeting_, bytes};
  if (head != expected) out_of_step(rank, head, expected);
  given_[at].resize(bytes / sizeof(double));
  receive_all(sockets_[at], {part(std::as_bytes(std::span(given_[at])))}, deadline);
}

void MeetingKeeper::look_for_the_late(const std::vector<int>& awaited) {
  const auto now = SteadyClock::now();
  for (std::size_t group = 0; group < signs_.size(); ++group) {
    const std::uint64_t number = settings_.signs(static_cast<int>(group));
    if (number != signs_[group].number) signs_[group] = {number, now};
  }
  for (const int rank : awaited) {
    const auto& sign = signs_[static_cast<std::size_t>(group_of(rank))];
    const bool known = static_cast<bool>(sockets_[static_cast<std::size_t>(rank)]);
    if (known && now - sign.seen > settings_.patience) {
      give_up(rank, "did not come to the end of the epoch within " +
                        std::to_string(settings_.patience.count()) +
                        " ms; if its steps take longer, raise resources.rank_timeout");
    }
  }
}

/// Until every rank is here that is not given up.
void MeetingKeeper::collect(std::size_t bytes) {
  ++meeting_;
  for (Sign& sign : signs_) sign.seen = SteadyClock::now();
  std::vector<int> awaited;
  for (int rank = 1; rank < ranks(); ++rank) awaited.push_back(rank);
  for (;;) {
    std::erase_if(awaited, [&](int rank) { return !sockets_[static_cast<std::size_t>(rank)]; });
    if (awaited.empty()) return;
    std::vector<pollfd> wanted;
    for (const int rank : awaited) {
      wanted.push_back({sockets_[static_cast<std::size_t>(rank)].fd(), POLLIN, 0});
    }
    ::poll(wanted.data(), wanted.size(), static_cast<int>(kLook.count()));
    std::vector<int> later;
    for (std::size_t i = 0; i < awaited.size(); ++i) {
      const int rank = awaited[i];
      if (wanted[i].revents == 0) {
        later.push_back(rank);
      } else if (sockets_[static_cast<std::size_t>(rank)]) {
        try {
          take(rank, bytes);
        } catch (const ConnectionLost& lost) {
          give_up(rank, std::string("is lost: ") + lost.what());
        }
      }
    }
    awaited = std::move(later);
    look_for_the_late(awaited);
  }
}

void MeetingKeeper::answer(std::span<const std::byte> bytes, const Present& present) {
  const Head head{meeting_, bytes.size()};
  std::vector<std::byte> there;
  for (const bool is : present) there.push_back(static_cast<std::byte>(is));
  for (int rank = 1; rank < ranks(); ++rank) {
    const Socket& socket = sockets_[static_cast<std::size_t>(rank)];
    if (!socket) continue;
    try {
      send_all(socket, {part(head), part(bytes), part(there)},
               SteadyClock::now() + settings_.patience);
    } catch (const ConnectionLost& lost) {
      // The others believe it present until the next meeting.
      give_up(rank, std::string("is lost: ") + lost.what());
    }
  }
}

GroupMeeting::Present MeetingKeeper::sum(std::vector<double>& values) {
  collect(values.size() * sizeof(double));
  for (int rank = 1; rank < ranks(); ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    if (!sockets_[at]) continue;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += given_[at][i];
  }
  Present there = present();
  answer(std::as_bytes(std::span(values)), there);
  return there;
}

GroupMeeting::Present MeetingKeeper::share(std::span<std::byte> bytes) {
  collect(0);
  Present there = present();
  answer(bytes, there);
  return there;
}

std::vector<MeetingKeeper::Lost> MeetingKeeper::take_lost() {
  return std::exchange(lost_, {});
}

MeetingGuest::MeetingGuest(Settings settings) : settings_(std::move(settings)) {
  const Deadline deadline = SteadyClock::now() + std::min(settings_.patience, milliseconds(30'000));
  try {
    socket_ = connect_to(settings_.address, deadline);
    const Head hello{static_cast<std::uint64_t>(settings_.rank), 0};
    send_all(socket_, {part(hello)}, deadline);
  } catch (const ConnectionLost& lost) {
    fail(lost.what());
  }
}

void MeetingGuest::fail(const std::string& problem) const {
  fail_of(settings_.rank, "cannot meet the others at rank 0: " + problem);
}

GroupMeeting::Present MeetingGuest::meet(std::span<const std::byte> mine,
                                         std::span<std::byte> answer) {
  ++meeting_;
  const Deadline deadline = SteadyClock::now() + settings_.patience;
  const Head head{meeting_, mine.size()}, expected{meeting_, answer.size()};
  std::vector<std::byte> there(static_cast<std::size_t>(settings_.groups));
  try {
    send_all(socket_, {part(head), part(mine)}, deadline);
    Head found{};
    receive_all(socket_, {part(found)}, deadline);
    if (found != expected) out_of_step(0, found, expected);
    receive_all(socket_, {part(answer), part(there)}, deadline);
  } catch (const ConnectionLost& lost) {
    fail(std::string(lost.what()) + " (it has ended, or goes on without this group)");
  }
  Present present;
  for (const std::byte is : there) present.push_back(is != std::byte{0});
  return present;
}

GroupMeeting::Present MeetingGuest::sum(std::vector<double>& values) {
  const std::vector<double> mine = values;
  return meet(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(values)));
}

GroupMeeting::Present MeetingGuest::share(std::span<std::byte> bytes) {
  return meet({}, bytes);
}

}  // namespace betatune::distributed::asynchronous
