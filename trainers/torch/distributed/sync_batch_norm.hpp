#pragma once
/// Batch normalisation over the samples of all ranks. A plain torch::nn::BatchNorm in a gang
/// normalises by each rank's own part of the batch, so that a training depends on the number of
/// ranks, and badly where a part has few samples; this one computes what one process would with the
/// whole batch. It has the options, parameters and buffers of torch::nn::BatchNorm1d to 3d, under
/// the same names: one can load the other's.
///
/// Each forward in training and each backward exchanges a few numbers per channel. So all ranks run
/// the same such layers in the same order, and the same parameters: where a rank leaves out layers
/// that others use, the exchange of gradients and of these numbers may come in another order.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/pimpl.h>

namespace betatune::distributed {

class Communicator;

class SyncBatchNormImpl final
    : public torch::nn::NormImplBase<0, SyncBatchNormImpl, torch::nn::BatchNormOptions> {
 public:
  using NormImplBase::NormImplBase;

  /// x        samples x channels x any further dimensions; ranks may have different numbers of
  ///          samples
  /// returns  normalised like torch::nn::BatchNorm: in training by mean and variance over all
  ///          ranks; in evaluation by the running ones or, without these, by this rank's alone
  /// errors   plugin::Failure where all ranks together have one number per channel
  at::Tensor forward(const at::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// null: as in one process. Else it must live longer than the last backward.
  void join(Communicator* communicator) { communicator_ = communicator; }
  /// Whether this rank's samples are of the batch, or only keep it in step with the others.
  void count(bool counts) { counts_ = counts; }

 protected:
  void _check_input_dim(const at::Tensor& x) override;

 private:
  double next_average_factor();

  Communicator* communicator_ = nullptr;
  bool counts_ = true;
};
TORCH_MODULE(SyncBatchNorm);

/// SyncBatchNormImpl::join and count of all such layers of a model.
void join_batch_norms(torch::nn::Module& model, Communicator* communicator);
void count_in_batch_norms(torch::nn::Module& model, bool counts);

}  // namespace betatune::distributed
