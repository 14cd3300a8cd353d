#include "trainers/torch/distributed/asynchronous/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace betatune::distributed::asynchronous {
namespace {

constexpr std::size_t kBytesPerTurn = std::size_t{4} << 20;
constexpr std::size_t kPiecesPerCall = 64;  ///< the kernel takes 1,024

}  // namespace

/// Receives into [to, to + size), of which `offset` bytes are there. Returns whether all are.
bool Connection::receive(std::byte* to, std::size_t offset, std::size_t size, std::size_t& budget) {
  while (offset < size) {
    if (budget == 0) return false;
    const auto got = ::recv(socket_.fd(), to + offset, std::min(size - offset, budget), 0);
    if (got > 0) {
      offset += static_cast<std::size_t>(got);
      received_ += static_cast<std::size_t>(got);
      budget -= static_cast<std::size_t>(got);
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      lost = true;
      return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool Connection::read(const FrameLimits& limits) {
  if (complete_) {
    head_.reset();
    received_ = 0;
    complete_ = false;
  }
  std::size_t budget = kBytesPerTurn;
  if (!head_) {
    if (!receive(head_bytes_.data(), received_, kHeadBytes, budget)) return false;
    head_ = read_head(head_bytes_, limits);
    meta_.resize(head_->meta_bytes);
    // A smaller frame keeps the buffer: filling it with zeros anew costs as much as a copy.
    if (head_->values > values_.size()) values_.resize(static_cast<std::size_t>(head_->values));
  }
  const std::size_t of_meta = kHeadBytes + meta_.size();
  if (received_ < of_meta && !receive(meta_.data(), received_ - kHeadBytes, meta_.size(), budget)) {
    return false;
  }
  const auto bytes = std::as_writable_bytes(
      std::span<float>(values_).first(static_cast<std::size_t>(head_->values)));
  if (!receive(bytes.data(), received_ - of_meta, bytes.size(), budget)) return false;
  complete_ = true;
  return true;
}

void Connection::answer(FrameKind kind, const Bytes& meta,
                        std::span<const std::span<const float>> values) {
  std::uint64_t count = 0;
  for (const auto& layer : values) count += layer.size();
  front_ = make_frame(kind, meta, count);
  lent_.assign(values.begin(), values.end());
  sent_ = 0;
  to_send_ = front_.size() + 4 * static_cast<std::size_t>(count);
  send();
}

/// Calls `visit` with each piece of the frame that is not sent yet.
template <class Visit>
void Connection::visit_rest(Visit visit) const {
  std::size_t at = 0;
  const auto piece = [&](const void* data, std::size_t size) {
    const std::size_t skip = std::min(size, sent_ - std::min(sent_, at));
    at += size;
    if (skip < size) visit(static_cast<const std::byte*>(data) + skip, size - skip);
  };
  piece(front_.data(), front_.size());
  for (const auto& layer : lent_) piece(layer.data(), layer.size_bytes());
}

void Connection::keep() {
  if (lent_.empty()) return;
  Bytes rest;
  rest.reserve(to_send_ - sent_);
  visit_rest([&](const std::byte* data, std::size_t size) { Writer(rest).raw(data, size); });
  front_ = std::move(rest);
  lent_.clear();
  to_send_ = front_.size();
  sent_ = 0;
}

void Connection::refuse(const std::string& problem) {
  Bytes meta;
  Writer(meta).text(problem);
  closing_ = true;
  answer(FrameKind::refusal, meta, {});
}

void Connection::send() {
  while (has_answer()) {
    std::vector<iovec> left;
    visit_rest([&](const std::byte* data, std::size_t size) {
      if (left.size() < kPiecesPerCall) left.push_back({const_cast<std::byte*>(data), size});
    });
    msghdr message{};
    message.msg_iov = left.data();
    message.msg_iovlen = left.size();
    const auto done = ::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL);
    if (done >= 0) {
      sent_ += static_cast<std::size_t>(done);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      lost = true;
      return;
    }
  }
  lent_.clear();
  to_send_ = sent_ = 0;
  if (!closing_) return;
  ::shutdown(socket_.fd(), SHUT_WR);
  drains_until_ = SteadyClock::now() + std::chrono::seconds(5);
}

void Connection::drain() {
  std::array<std::byte, 65'536> thrown_away;
  std::size_t budget = kBytesPerTurn;
  while (budget > 0 && !lost) {
    const std::size_t before = budget;
    receive(thrown_away.data(), 0, thrown_away.size(), budget);
    if (budget == before) return;
  }
}

}  // namespace betatune::distributed::asynchronous
