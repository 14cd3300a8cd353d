#include "trainers/torch/distributed/reducer.hpp"

#include <ATen/ATen.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

namespace betatune::distributed {
namespace {

using torch::autograd::variable_list;

/// Shares are fractions of whole samples, rounded to the gradients' type.
constexpr double kShareTolerance = 0.02;

int kind_of(const at::Tensor& t) {
  return static_cast<int>(t.scalar_type()) * 256 + t.device().index() + 1;
}

}  // namespace

struct Reducer::Bucket {
  CompressionBucket content;
  std::vector<std::size_t> parameters;
  std::size_t pending = 0;  ///< parameters without their gradient
  Communicator::Handle work;
};

/// Runs behind the node that adds to a parameter's gradient; on CPUs in the thread of backward().
class Reducer::Hook final : public torch::autograd::FunctionPostHook {
 public:
  Hook(Reducer& reducer, std::size_t parameter) : reducer_(reducer), parameter_(parameter) {}
  variable_list operator()(const variable_list& outputs, const variable_list&) override {
    reducer_.on_ready(parameter_);
    return outputs;
  }

 private:
  Reducer& reducer_;
  std::size_t parameter_;
};

Reducer::Reducer(Communicator& communicator, Compressor& compressor,
                 std::vector<std::pair<std::string, at::Tensor>> parameters,
                 const BucketLimits& limits, Timeline* timeline)
    : communicator_(communicator),
      compressor_(compressor),
      parameters_(std::move(parameters)),
      limits_(limits),
      timeline_(timeline),
      filled_(parameters_.size(), false) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    // A parameter holds its accumulator weakly, so it is kept here, and with it the hook.
    auto node = torch::autograd::impl::grad_accumulator(parameters_[i].second);
    const auto key = node->add_post_hook(std::make_unique<Hook>(*this, i));
    remove_hooks_.emplace_back([node, key] { node->del_post_hook(key); });
  }
  build(reverse_order(parameters_.size()));
}

Reducer::~Reducer() {
  for (auto& remove : remove_hooks_) remove();
}

std::vector<GradientSize> Reducer::gradient_sizes() const {
  std::vector<GradientSize> sizes;
  for (const auto& [name, p] : parameters_) sizes.push_back({p.nbytes(), kind_of(p)});
  return sizes;
}

void Reducer::set_limits(const BucketLimits& limits) {
  limits_ = limits;
  const std::vector<std::size_t> order = order_;
  build(order);
}

void Reducer::build(const std::vector<std::size_t>& order) {
  order_ = order;
  const std::vector<GradientSize> sizes = gradient_sizes();
  place_.assign(parameters_.size(), {});
  buckets_.clear();
  for (auto& indices : assign_buckets(sizes, order, limits_)) {
    Bucket bucket;
    std::int64_t elements = 0;
    for (const std::size_t i : indices) elements += parameters_[i].second.numel();
    const auto count = static_cast<std::int64_t>(indices.size());
    // Behind the gradients: for each whether it was used, then the share.
    bucket.content.flat =
        at::zeros({elements + count + 1}, parameters_[indices[0]].second.options());
    bucket.content.tail = bucket.content.flat.narrow(0, elements, count + 1);
    std::int64_t at = 0;
    for (const std::size_t i : indices) {
      const at::Tensor& p = parameters_[i].second;
      place_[i] = {buckets_.size(), bucket.parameters.size()};
      bucket.parameters.push_back(i);
      // Laid out like the parameter, so that copying and the optimizer go straight through memory.
      const bool dense = p.is_non_overlapping_and_dense();
      bucket.content.gradients.emplace_back(
          parameters_[i].first, dense
                                    ? bucket.content.flat.as_strided(p.sizes(), p.strides(), at)
                                    : bucket.content.flat.narrow(0, at, p.numel()).view(p.sizes()));
      at += p.numel();
    }
    buckets_.push_back(std::move(bucket));
  }
}

void Reducer::begin(double share, std::int64_t step) {
  share_ = share;
  step_ = step;
  next_ = 0;
  std::fill(filled_.begin(), filled_.end(), false);
  for (Bucket& bucket : buckets_) bucket.pending = bucket.parameters.size();
  exchanging_ = true;
}

void Reducer::on_ready(std::size_t parameter) {
  if (!exchanging_) return;  // gradients of this pass only add up
  if (!rebuilt_) ready_order_.push_back(parameter);
  fill(parameter);
  launch();
}

void Reducer::fill(std::size_t parameter) {
  if (filled_[parameter]) return;
  filled_[parameter] = true;
  const auto [b, index] = place_[parameter];
  Bucket& bucket = buckets_[b];
  const at::NoGradGuard no_gradients;
  const at::Tensor& gradient = parameters_[parameter].second.grad();
  const at::Tensor& view = bucket.content.gradients[index].second;
  if (gradient.defined()) {
    view.copy_(gradient);
  } else {
    view.zero_();
  }
  bucket.content.tail.select(0, static_cast<std::int64_t>(index)).fill_(gradient.defined() ? 1 : 0);
  --bucket.pending;
}

void Reducer::launch() {
  const at::NoGradGuard no_gradients;
  for (; next_ < buckets_.size() && buckets_[next_].pending == 0; ++next_) {
    Bucket& bucket = buckets_[next_];
    bucket.content.tail.select(0, -1).fill_(share_);
    bucket.work = compressor_.start(bucket.content, step_);
  }
}

double Reducer::finish(bool check, bool norm) {
  const at::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) fill(i);
  launch();
  exchanging_ = false;
  double squares = 0;
  bool finite = true;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    Bucket& bucket = buckets_[b];
    const auto begin = std::chrono::steady_clock::now();
    compressor_.finish(bucket.content, *bucket.work, step_);
    waited_ += std::chrono::steady_clock::now() - begin;
    const auto& flat = bucket.content.flat;
    if (timeline_ != nullptr) {
      const auto span = bucket.work->span();
      timeline_->add(Timeline::Track::exchange, "all_reduce bucket " + std::to_string(b),
                     span.begin, span.end, {{"bytes", static_cast<double>(flat.nbytes())}});
    }
    bucket.work.reset();
    if (!norm && !check) continue;
    const auto gradients = flat.narrow(0, 0, flat.numel() - bucket.content.tail.numel());
    // A sum or a norm that is finite has no NaN and no infinity in it.
    const double number = (norm ? gradients.norm() : gradients.sum()).item<double>();
    finite = finite && std::isfinite(number);
    squares += number * number;
  }
  if (check && !finite) explain_not_finite();
  check_shares();
  for (Bucket& bucket : buckets_) give_out(bucket);
  if (!rebuilt_) rebuild();
  return norm ? std::sqrt(squares) : std::numeric_limits<double>::quiet_NaN();
}

void Reducer::give_out(Bucket& bucket) {
  const auto used = bucket.content.tail.to(at::kCPU, at::kFloat);
  const float* uses = used.data_ptr<float>();
  for (std::size_t i = 0; i < bucket.parameters.size(); ++i) {
    at::Tensor& gradient = parameters_[bucket.parameters[i]].second.mutable_grad();
    if (uses[i] > 0) {
      gradient = bucket.content.gradients[i].second;
    } else {
      gradient.reset();
    }
  }
}

void Reducer::check_shares() const {
  if (buckets_.empty()) return;
  const double sum = buckets_[0].content.tail.select(0, -1).item<double>();
  if (std::abs(sum - 1) < kShareTolerance) return;
  throw plugin::Failure(BETATUNE_ERROR, "the shares of the ranks in this step add up to " +
                                            std::to_string(sum) + ", not to 1; this rank's is " +
                                            std::to_string(share_));
}

void Reducer::explain_not_finite() {
  std::string mine;
  for (const auto& [name, p] : parameters_) {
    const at::Tensor& gradient = p.grad();  // still this rank's own
    if (gradient.defined() && !std::isfinite(gradient.sum().item<double>()) &&
        !at::isfinite(gradient).all().item<bool>()) {
      mine = name;
      break;
    }
  }
  const auto all = communicator_.gather_texts(mine);
  std::string text;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    text += (text.empty() ? "" : "; ") + ("rank " + std::to_string(rank)) + ": parameter `" +
            all[rank] + '`';
  }
  if (text.empty()) {
    // Sums over elements can overflow where the elements do not.
    bool overflow = false;
    for (const Bucket& b : buckets_) {
      overflow = overflow || !at::isfinite(b.content.flat).all().item<bool>();
    }
    text = overflow ? "each rank's is, but their sum overflows" : "its norm overflows";
  }
  throw plugin::Failure(BETATUNE_DIVERGED, "the gradient is not finite (" + text + ")");
}

void Reducer::rebuild() {
  rebuilt_ = true;
  auto order = at::empty({static_cast<std::int64_t>(parameters_.size())}, at::kLong);
  auto* numbers = order.data_ptr<std::int64_t>();
  std::vector<bool> seen(parameters_.size(), false);
  std::size_t n = 0;
  const auto append = [&](std::size_t i) {
    if (seen[i]) return;
    seen[i] = true;
    numbers[n++] = static_cast<std::int64_t>(i);
  };
  for (const std::size_t i : ready_order_) append(i);
  for (const std::size_t i : reverse_order(parameters_.size())) append(i);
  const auto there =
      order.to(parameters_.empty() ? at::Device(at::kCPU) : parameters_[0].second.device());
  communicator_.broadcast(there, 0);
  order.copy_(there);
  build({numbers, numbers + n});
}

std::vector<std::vector<std::size_t>> Reducer::buckets() const {
  std::vector<std::vector<std::size_t>> all;
  for (const Bucket& bucket : buckets_) all.push_back(bucket.parameters);
  return all;
}

}  // namespace betatune::distributed
