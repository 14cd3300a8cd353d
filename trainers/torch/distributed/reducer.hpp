#pragma once
/// Sums gradients over the ranks while the backward pass goes on. A hook behind each parameter's
/// gradient copies it into a flat bucket; a bucket that is full is on its way at once. Buckets
/// start in the reverse order of the parameters and are rebuilt once, in the order in which rank 0
/// saw the gradients get ready. Needs libtorch.
///
/// A parameter that a rank did not use counts as zero there, and holds back only its own bucket and
/// those behind it; after the rebuild those are the last. One that no rank used keeps no gradient,
/// so optimizers skip it as they would in one process.

#include <ATen/core/Tensor.h>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trainers/torch/distributed/buckets.hpp"
#include "trainers/torch/distributed/compression.hpp"
#include "trainers/torch/distributed/timeline.hpp"

namespace betatune::distributed {

class Reducer {
 public:
  /// parameters  those that require gradients, the same on all ranks
  /// timeline    may be null; like the other references, it must live longer
  Reducer(Communicator& communicator, Compressor& compressor,
          std::vector<std::pair<std::string, at::Tensor>> parameters, const BucketLimits& limits,
          Timeline* timeline);
  ~Reducer();
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  /// The next backward pass is the last of its step: gradients are exchanged as they get ready.
  ///
  /// share  of this rank in the step; all ranks' must add up to 1
  void begin(double share, std::int64_t step);

  /// After that pass: exchanges what is left, waits, and makes the parameters' gradients views of
  /// the sums.
  ///
  /// check    look whether they are finite
  /// norm     whether the 2-norm is wanted
  /// returns  the norm, or NaN
  /// errors   plugin::Failure (BETATUNE_DIVERGED) that names the ranks and parameters whose
  ///          gradients are not finite; CommunicationError
  double finish(bool check, bool norm);

  /// In finish(), for the exchange alone; with a compressor also for what it does behind it.
  double waited_seconds() const { return waited_.count(); }

  /// Other buckets from the next step on; between finish() and begin(), the same on all ranks, with
  /// no gradients left that finish() made.
  void set_limits(const BucketLimits& limits);
  std::vector<GradientSize> gradient_sizes() const;

  /// Indices of the parameters, in the buckets as they are; for tests and logs.
  std::vector<std::vector<std::size_t>> buckets() const;

 private:
  struct Bucket;
  class Hook;

  void build(const std::vector<std::size_t>& order);
  void rebuild();
  void on_ready(std::size_t parameter);
  void fill(std::size_t parameter);
  void launch();
  void give_out(Bucket& bucket);
  void check_shares() const;
  [[noreturn]] void explain_not_finite();

  Communicator& communicator_;
  Compressor& compressor_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
  BucketLimits limits_;
  Timeline* timeline_;

  std::vector<std::function<void()>> remove_hooks_;
  std::vector<Bucket> buckets_;
  std::vector<std::pair<std::size_t, std::size_t>> place_;  ///< of a parameter: bucket, index in it
  std::vector<bool> filled_;
  std::vector<std::size_t> ready_order_;
  std::vector<std::size_t> order_;  ///< that the buckets were made in
  std::size_t next_ = 0;            ///< the first bucket that is not on its way
  std::int64_t step_ = 0;
  bool exchanging_ = false, rebuilt_ = false;
  double share_ = 1;
  std::chrono::duration<double> waited_{0};
};

}  // namespace betatune::distributed
