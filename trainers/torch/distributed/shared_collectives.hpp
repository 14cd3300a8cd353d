#pragma once
/// Collective operations through shared memory, on plain bytes: the fastest way for ranks of one
/// machine to add up gradients, and one that needs no network library. A message goes through in
/// pieces that stay in the cache; each rank adds up its share of each piece, in rank order, so the
/// result is the same on every rank and in every run.

#include <cstddef>
#include <cstdint>
#include <string>

#include "trainers/torch/distributed/elements.hpp"
#include "trainers/torch/distributed/shared_segment.hpp"

namespace betatune::distributed {

/// Collectives are called from one thread, sends from one, receives from one; three different ones
/// may be at work at the same time.
/// errors of all: CommunicationError; when ranks call different things it says who calls what
class SharedCollectives {
 public:
  static constexpr int kMaxRanks = 128;

  /// Blocks until all ranks are there. `path`: the rendezvous file.
  SharedCollectives(const World& world, const std::string& path);

  /// In place, `count` elements.
  void all_reduce(std::byte* data, std::size_t count, Element element, Reduction reduction);
  void broadcast(std::byte* data, std::size_t bytes, int root);
  /// out: world.size x bytes
  void all_gather(std::byte* out, const std::byte* in, std::size_t bytes);
  /// in: world.size x count elements, out: this rank's count
  void reduce_scatter(std::byte* out, const std::byte* in, std::size_t count, Element element,
                      Reduction reduction);
  void send(const std::byte* data, std::size_t bytes, int to);
  void receive(std::byte* data, std::size_t bytes, int from);
  void abort(const std::string& reason) { segment_.abort(reason); }

  /// Bytes of the pieces of an all_reduce, which do not change its result: to be set between calls,
  /// the same on all ranks. Other calls keep to kPiece.
  /// Two sets of slots (of kPiece each) of two ranks, and the results, fit in a second-level cache.
  static constexpr std::size_t kPiece = 256 << 10, kMostPiece = 1 << 20;
  std::size_t piece() const { return piece_; }
  void set_piece(std::size_t bytes) { piece_ = bytes; }

 private:
  struct Call;
  struct Channel;

  void begin(const Call& call);
  /// This rank's part of the piece is there to be read; returns when everybody's is. Then everybody
  /// is done with the piece before the last, too, whose memory the next one takes.
  void exchange();
  /// This rank has read (and, with `wait`, everybody has) what it needed.
  void end_piece(bool wait);
  void wait_all(std::uint32_t target);

  std::byte* slot(int rank) const;  ///< of the current piece
  std::byte* result() const;
  std::byte* buffer() const;
  Channel& channel(int from, int to) const;
  static std::size_t data_bytes(int size);

  SharedSegment segment_;
  int rank_, size_;
  std::uint32_t pieces_ = 0;  ///< done, modulo 2^31
  std::uint32_t calls_ = 0;
  std::uint64_t call_ = 0;  ///< the current one, encoded
  bool checked_ = true;     ///< that the others make the same call
  std::size_t piece_ = kPiece;
};

}  // namespace betatune::distributed
