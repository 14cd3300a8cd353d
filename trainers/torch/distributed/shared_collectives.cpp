#include "trainers/torch/distributed/shared_collectives.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace betatune::distributed {
namespace {

constexpr std::size_t kCell = 64 << 10;  ///< of a send
constexpr std::size_t kLine = 64;

std::size_t align(std::size_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

/// Bytes [begin, end) of a piece of `bytes` that rank `rank` adds up.
struct Share {
  std::size_t begin, end;
};
Share share_of(std::size_t bytes, int rank, int size) {
  const std::size_t each = align(bytes / static_cast<std::size_t>(size));
  const auto index = static_cast<std::size_t>(rank);
  return {std::min(bytes, index * each),
          rank + 1 == size ? bytes : std::min(bytes, (index + 1) * each)};
}

}  // namespace

/// What a rank calls, in 64 bits: kind 3, element 4, reduction 3, root 8, count 46.
struct SharedCollectives::Call {
  enum class Kind : std::uint8_t { all_reduce = 1, broadcast, all_gather, reduce_scatter } kind;
  Element element = Element::uint8;
  Reduction reduction = Reduction::sum;
  int root = 0;
  std::size_t count = 0;

  std::uint64_t encoded() const {
    return static_cast<std::uint64_t>(kind) | static_cast<std::uint64_t>(element) << 3 |
           static_cast<std::uint64_t>(reduction) << 7 | static_cast<std::uint64_t>(root) << 10 |
           static_cast<std::uint64_t>(count) << 18;
  }
  static Call decoded(std::uint64_t bits) {
    return {static_cast<Kind>(bits & 7), static_cast<Element>(bits >> 3 & 15),
            static_cast<Reduction>(bits >> 7 & 7), static_cast<int>(bits >> 10 & 255), bits >> 18};
  }
  std::string text() const {
    const std::string what = std::to_string(count) + " x " + name_of(element);
    switch (kind) {
      case Kind::all_reduce:
        return "all_reduce (" + name_of(reduction) + ") of " + what;
      case Kind::broadcast:
        return "broadcast of " + what + " from rank " + std::to_string(root);
      case Kind::all_gather:
        return "all_gather of " + what;
      case Kind::reduce_scatter:
        return "reduce_scatter (" + name_of(reduction) + ") of " + what + " per rank";
    }
    return "nothing";
  }
};

/// Two cells that go round: the sender is at most two ahead.
struct SharedCollectives::Channel {
  struct Cell {
    std::uint64_t message_bytes;
    std::byte data[kCell];
  };
  SharedCounter written, read;
  std::array<Cell, 2> cells;
};

std::size_t SharedCollectives::data_bytes(int size) {
  const auto ranks = static_cast<std::size_t>(size);
  return 2 * kMostPiece * (ranks + 1) + ranks * ranks * align(sizeof(Channel));
}

SharedCollectives::SharedCollectives(const World& world, const std::string& path)
    : segment_((world.size > kMaxRanks
                    ? throw CommunicationError(BETATUNE_ERROR,
                                               "the shared_memory backend has at most " +
                                                   std::to_string(kMaxRanks) + " ranks, not " +
                                                   std::to_string(world.size))
                    : world),
               path, data_bytes(world.size)),
      rank_(world.rank),
      size_(world.size) {}

std::byte* SharedCollectives::buffer() const {
  return segment_.data() + (pieces_ % 2) * kMostPiece * static_cast<std::size_t>(size_ + 1);
}
std::byte* SharedCollectives::slot(int rank) const {
  return buffer() + static_cast<std::size_t>(rank) * kMostPiece;
}
std::byte* SharedCollectives::result() const {
  return slot(size_);
}

SharedCollectives::Channel& SharedCollectives::channel(int from, int to) const {
  const auto index = static_cast<std::size_t>(from * size_ + to);
  return *reinterpret_cast<Channel*>(segment_.data() +
                                     2 * kMostPiece * static_cast<std::size_t>(size_ + 1) +
                                     index * align(sizeof(Channel)));
}

void SharedCollectives::begin(const Call& call) {
  call_ = call.encoded();
  checked_ = false;
  ++calls_;
  segment_.doing(rank_, calls_ % 2).store(call_);
}

void SharedCollectives::wait_all(std::uint32_t target) {
  const auto late = [&] {
    std::string ranks;
    for (int rank = 0; rank < size_; ++rank) {
      if (segment_.progress(rank).reached(target)) continue;
      ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
    }
    return Call::decoded(call_).text() + ": rank(s) " + ranks + " did not arrive within " +
           std::to_string(segment_.world().timeout.count()) + " ms (stopped, or busy elsewhere)";
  };
  for (int i = 1; i < size_; ++i) {
    const int rank = (rank_ + i) % size_;
    segment_.wait(segment_.progress(rank), target, rank, late);
  }
}

void SharedCollectives::exchange() {
  segment_.progress(rank_).raise_to(2 * pieces_ + 1);
  wait_all(2 * pieces_ + 1);
  if (checked_) return;
  // A rank that is faster may be in its next call already, but not in the one after.
  for (int rank = 0; rank < size_; ++rank) {
    const std::uint64_t other = segment_.doing(rank, calls_ % 2).load();
    if (other == call_) continue;
    segment_.fail(BETATUNE_ERROR, "the ranks do different things: rank " + std::to_string(rank) +
                                      " calls " + Call::decoded(other).text() + ", rank " +
                                      std::to_string(rank_) + " " + Call::decoded(call_).text());
  }
  checked_ = true;
}

void SharedCollectives::end_piece(bool wait) {
  segment_.progress(rank_).raise_to(2 * pieces_ + 2);
  if (wait) wait_all(2 * pieces_ + 2);
}

void SharedCollectives::all_reduce(std::byte* data, std::size_t count, Element element,
                                   Reduction reduction) {
  if (count == 0) return;
  begin({Call::Kind::all_reduce, element, reduction, 0, count});
  const std::size_t width = bytes_of(element), all = count * width;
  std::vector<const std::byte*> inputs(static_cast<std::size_t>(size_));
  for (std::size_t offset = 0; offset < all; offset += piece_, ++pieces_) {
    std::byte* piece = data + offset;
    const std::size_t bytes = std::min(piece_, all - offset);
    const Share own = share_of(bytes, rank_, size_);
    std::memcpy(slot(rank_), piece, own.begin);
    std::memcpy(slot(rank_) + own.end, piece + own.end, bytes - own.end);
    exchange();
    for (int rank = 0; rank < size_; ++rank) {
      inputs[static_cast<std::size_t>(rank)] = (rank == rank_ ? piece : slot(rank)) + own.begin;
    }
    std::byte* sums = result() + own.begin;
    reduce(element, reduction, inputs, sums, (own.end - own.begin) / width);
    end_piece(true);
    std::memcpy(piece, result(), bytes);
  }
}

void SharedCollectives::broadcast(std::byte* data, std::size_t bytes, int root) {
  if (bytes == 0) return;
  begin({Call::Kind::broadcast, Element::uint8, Reduction::sum, root, bytes});
  for (std::size_t offset = 0; offset < bytes; offset += kPiece, ++pieces_) {
    const std::size_t n = std::min(kPiece, bytes - offset);
    if (rank_ == root) std::memcpy(slot(root), data + offset, n);
    exchange();
    if (rank_ != root) std::memcpy(data + offset, slot(root), n);
    end_piece(false);
  }
}

void SharedCollectives::all_gather(std::byte* out, const std::byte* in, std::size_t bytes) {
  if (bytes == 0) return;
  begin({Call::Kind::all_gather, Element::uint8, Reduction::sum, 0, bytes});
  for (std::size_t offset = 0; offset < bytes; offset += kPiece, ++pieces_) {
    const std::size_t n = std::min(kPiece, bytes - offset);
    std::memcpy(slot(rank_), in + offset, n);
    exchange();
    for (int rank = 0; rank < size_; ++rank) {
      std::memcpy(out + static_cast<std::size_t>(rank) * bytes + offset, slot(rank), n);
    }
    end_piece(false);
  }
}

void SharedCollectives::reduce_scatter(std::byte* out, const std::byte* in, std::size_t count,
                                       Element element, Reduction reduction) {
  if (count == 0) return;
  begin({Call::Kind::reduce_scatter, element, reduction, 0, count});
  const std::size_t width = bytes_of(element), all = count * width;
  const auto ranks = static_cast<std::size_t>(size_), own = static_cast<std::size_t>(rank_);
  const std::size_t part = kPiece / ranks / kLine * kLine;  // of each rank, in a piece
  std::vector<const std::byte*> inputs(ranks);
  for (std::size_t offset = 0; offset < all; offset += part, ++pieces_) {
    const std::size_t n = std::min(part, all - offset);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      std::memcpy(slot(rank_) + rank * part, in + rank * all + offset, n);
    }
    exchange();
    for (int rank = 0; rank < size_; ++rank) {
      inputs[static_cast<std::size_t>(rank)] = slot(rank) + own * part;
    }
    reduce(element, reduction, inputs, out + offset, n / width);
    end_piece(false);
  }
}

void SharedCollectives::send(const std::byte* data, std::size_t bytes, int to) {
  Channel& c = channel(rank_, to);
  for (std::size_t offset = 0; offset == 0 || offset < bytes; offset += kCell) {
    const std::uint32_t index = c.written.value.load();
    segment_.wait(c.read, index - 1, to, [&] {
      return "send: rank " + std::to_string(to) + " did not receive within " +
             std::to_string(segment_.world().timeout.count()) + " ms";
    });
    auto& cell = c.cells[index % 2];
    cell.message_bytes = bytes;
    std::memcpy(cell.data, data + offset, std::min(kCell, bytes - offset));
    c.written.raise_to(index + 1);
  }
}

void SharedCollectives::receive(std::byte* data, std::size_t bytes, int from) {
  Channel& c = channel(from, rank_);
  for (std::size_t offset = 0; offset == 0 || offset < bytes; offset += kCell) {
    const std::uint32_t index = c.read.value.load();
    segment_.wait(c.written, index + 1, from, [&] {
      return "receive: rank " + std::to_string(from) + " did not send within " +
             std::to_string(segment_.world().timeout.count()) + " ms";
    });
    const auto& cell = c.cells[index % 2];
    if (cell.message_bytes != bytes) {
      segment_.fail(BETATUNE_ERROR, "rank " + std::to_string(from) + " sent " +
                                        std::to_string(cell.message_bytes) + " bytes, rank " +
                                        std::to_string(rank_) + " receives " +
                                        std::to_string(bytes));
    }
    std::memcpy(data + offset, cell.data, std::min(kCell, bytes - offset));
    c.read.raise_to(index + 1);
  }
}

}  // namespace betatune::distributed
