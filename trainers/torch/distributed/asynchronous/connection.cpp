#include "trainers/torch/distributed/asynchronous/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace betatune::distributed::asynchronous {
namespace {

constexpr std::size_t kBytesPerTurn = std::size_t{4} << 20;

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
  const Bytes front = make_frame(kind, meta, count);
  out_.clear();
  out_.reserve(front.size() + 4 * static_cast<std::size_t>(count));
  Writer out(out_);
  out.raw(front.data(), front.size());
  for (const auto& layer : values) out.raw(layer.data(), layer.size_bytes());
  sent_ = 0;
  send();
}

void Connection::refuse(const std::string& problem) {
  Bytes meta;
  Writer(meta).text(problem);
  closing_ = true;
  answer(FrameKind::refusal, meta, {});
}

void Connection::send() {
  while (sent_ < out_.size()) {
    const auto done = ::send(socket_.fd(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (done >= 0) {
      sent_ += static_cast<std::size_t>(done);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      lost = true;
      return;
    }
  }
  out_.clear();
  sent_ = 0;
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
