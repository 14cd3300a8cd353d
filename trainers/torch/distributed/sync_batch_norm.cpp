#include "trainers/torch/distributed/sync_batch_norm.hpp"

#include <ATen/ATen.h>
#include <ostream>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/functional/batchnorm.h>

#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Over which a channel's numbers are: all but the second.
std::vector<std::int64_t> reduced_dimensions(const at::Tensor& x) {
  std::vector<std::int64_t> dimensions{0};
  for (std::int64_t d = 2; d < x.dim(); ++d) dimensions.push_back(d);
  return dimensions;
}

/// One number per channel, so that it spreads over x.
at::Tensor per_channel(const at::Tensor& numbers, const at::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[1] = x.size(1);
  return numbers.view(shape);
}

/// Two-byte floats are added up as floats.
at::Tensor widened(const at::Tensor& x) {
  const bool narrow = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  return narrow ? x.to(at::kFloat) : x;
}

/// What all ranks know of a batch, and whether this rank's samples are of it.
struct Statistics {
  at::Tensor mean, variance;  ///< per channel, double; the variance divides by the count
  double count = 0;           ///< numbers per channel, over all ranks
  bool counted = true;
};

/// Of all ranks' numbers. Each sends its mean and its sum of squared deviations: sums of squares
/// would cancel where the mean is large. Added up in the order of ranks: equal bits everywhere.
/// source Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115
Statistics statistics_of(const at::Tensor& x, Communicator& communicator, bool counts) {
  const std::int64_t channels = x.size(1);
  const auto options = x.options().dtype(at::kDouble).requires_grad(false);
  const auto message = at::zeros({2 * channels + 1}, options);
  if (counts && x.numel() > 0) {
    const double n = static_cast<double>(x.numel() / channels);
    const auto dimensions = reduced_dimensions(x);
    const auto [variance, mean] =
        at::var_mean(widened(x), at::OptionalIntArrayRef(dimensions), /*unbiased=*/false);
    message.narrow(0, 0, channels).copy_(mean);
    message.narrow(0, channels, channels).copy_(variance).mul_(n);
    message.select(0, -1).fill_(n);
  }
  const auto all = at::empty({communicator.size(), 2 * channels + 1}, options);
  communicator.all_gather(all, message);
  const auto n = all.narrow(1, 2 * channels, 1);
  const auto means = all.narrow(1, 0, channels), squares = all.narrow(1, channels, channels);
  Statistics result;
  result.counted = counts;
  result.count = n.sum().item<double>();
  result.mean = (means * n).sum(0) / result.count;
  result.variance = (squares + n * (means - result.mean).square()).sum(0).div_(result.count);
  return result;
}

/// (x - mean) / deviation, with the gradient that reaches x by way of mean and deviation too.
class Normalise final : public torch::autograd::Function<Normalise> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Statistics& all,
                            double epsilon, Communicator* communicator) {
    const auto scale = (all.variance + epsilon).rsqrt();
    const auto wide = widened(x);
    const auto y = ((wide - per_channel(all.mean, x).to(wide.scalar_type())) *
                    per_channel(scale, x).to(wide.scalar_type()))
                       .to(x.scalar_type());
    context->save_for_backward({y, scale});
    context->saved_data["count"] = all.count;
    context->saved_data["counted"] = all.counted;
    context->saved_data["communicator"] = reinterpret_cast<std::int64_t>(communicator);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &y = saved[0], &scale = saved[1];
    const at::Tensor wide_y = widened(y), g = widened(gradients[0]);
    const std::int64_t channels = y.size(1);
    const auto sums = at::zeros({2 * channels}, scale.options());
    if (y.numel() > 0) {
      const auto dimensions = reduced_dimensions(y);
      sums.narrow(0, 0, channels).copy_(g.sum(dimensions));
      sums.narrow(0, channels, channels).copy_((g * wide_y).sum(dimensions));
    }
    auto* communicator =
        reinterpret_cast<Communicator*>(context->saved_data["communicator"].toInt());
    communicator->all_reduce(sums);
    sums.div_(context->saved_data["count"].toDouble());
    const auto spread = [&](const at::Tensor& numbers) {
      return per_channel(numbers, y).to(g.scalar_type());
    };
    at::Tensor through = g;
    if (context->saved_data["counted"].toBool()) {  // else mean and deviation do not depend on x
      const auto mean = spread(sums.narrow(0, 0, channels));
      const auto slope = spread(sums.narrow(0, channels, channels));
      through = g - mean - wide_y * slope;
    }
    const auto result = through * spread(scale);
    return {result.to(y.scalar_type()), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

void SyncBatchNormImpl::_check_input_dim(const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 2, "batch normalisation of a tensor with ", x.dim(),
              " dimension(s); it needs samples x channels");
  TORCH_CHECK(x.size(1) == options.num_features(), "batch normalisation of ", x.size(1),
              " channels by a layer for ", options.num_features());
}

/// How much of this batch goes into the running statistics.
double SyncBatchNormImpl::next_average_factor() {
  if (!is_training() || !options.track_running_stats()) return options.momentum().value_or(0);
  num_batches_tracked += 1;
  const auto momentum = options.momentum();
  return momentum ? *momentum : 1 / num_batches_tracked.item<double>();
}

at::Tensor SyncBatchNormImpl::forward(const at::Tensor& x) {
  _check_input_dim(x);
  const double factor = next_average_factor();
  if (communicator_ == nullptr || communicator_->size() == 1 || !is_training()) {
    const bool own = is_training() || !options.track_running_stats();
    return torch::nn::functional::detail::batch_norm(x, running_mean, running_var, weight, bias,
                                                     own, factor, options.eps());
  }
  Statistics all;
  {
    const at::NoGradGuard no_gradients;
    all = statistics_of(x, *communicator_, counts_);
    if (all.count < 2) {
      throw plugin::Failure(BETATUNE_ERROR,
                            "batch normalisation in training needs more than one number per "
                            "channel; all ranks together have " +
                                std::to_string(static_cast<std::int64_t>(all.count)));
    }
    if (options.track_running_stats()) {
      running_mean.mul_(1 - factor).add_(all.mean, factor);
      running_var.mul_(1 - factor).add_(all.variance, factor * all.count / (all.count - 1));
    }
  }
  const auto y = Normalise::apply(x, all, options.eps(), communicator_);
  if (!options.affine()) return y;
  return at::addcmul(per_channel(bias, y), y, per_channel(weight, y));
}

void SyncBatchNormImpl::pretty_print(std::ostream& stream) const {
  stream << "SyncBatchNorm(" << options.num_features() << ", eps=" << options.eps() << ')';
}

void join_batch_norms(torch::nn::Module& model, Communicator* communicator) {
  for (const auto& module : model.modules()) {
    if (auto* norm = module->as<SyncBatchNormImpl>()) norm->join(communicator);
  }
}

void count_in_batch_norms(torch::nn::Module& model, bool counts) {
  for (const auto& module : model.modules()) {
    if (auto* norm = module->as<SyncBatchNormImpl>()) norm->count(counts);
  }
}

}  // namespace betatune::distributed
