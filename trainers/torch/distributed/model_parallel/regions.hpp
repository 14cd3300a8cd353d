#pragma once
/// Where a computation that is split over ranks begins and ends. Ranks that share a layer all have
/// its whole input, each computes with its part of the weights, and what they have is put together
/// again. Each of the four operations is the other way round in the backward pass:
///
///                   forward                  backward
///   copy_to_ranks   nothing                  sum over the ranks     (f)
///   sum_over_ranks  sum over the ranks       nothing                (g)
///   own_part        take this rank's part    put the parts together
///   whole_of_parts  put the parts together   take this rank's part
///
/// What comes behind sum_over_ranks and whole_of_parts must be the same on every rank, so that all
/// have the same gradient there. All calls are collective, also in the backward pass; a second
/// derivative is right, too. With one rank they do nothing.
/// source: Shoeybi et al. 2019, arXiv:1909.08053, section 3
///
/// The communicator must live longer than the graph. Needs libtorch.

#include <ATen/core/Tensor.h>
#include <cstdint>

#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {

/// x        any shape, floating, the same on all ranks
/// returns  x; its gradient is the sum of the ranks' gradients
at::Tensor copy_to_ranks(Communicator& communicator, const at::Tensor& x);

/// x        any shape, the same on all ranks
/// returns  the sum of the ranks' x, always added from rank 0 to the last
at::Tensor sum_over_ranks(Communicator& communicator, const at::Tensor& x);

/// x        ... x (ranks * k) x ...
/// returns  ... x k x ...: indices rank*k to rank*k + k-1 of `dimension` (negative: from the end)
/// errors   CommunicationError (BETATUNE_ERROR) if the size is not divisible by the ranks, or the
///          tensor has no such dimension
at::Tensor own_part(Communicator& communicator, const at::Tensor& x, std::int64_t dimension);

/// x        ... x k x ..., the same shape on all ranks
/// returns  ... x (ranks * k) x ...: the ranks' x one after another along `dimension`
at::Tensor whole_of_parts(Communicator& communicator, const at::Tensor& x, std::int64_t dimension);

}  // namespace betatune::distributed
