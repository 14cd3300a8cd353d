#include "trainers/torch/learner.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <dlfcn.h>
#include <limits>
#include <malloc.h>
#include <torch/torch.h>
#include <torch/version.h>
#include <vector>

#include "trainers/torch/network.hpp"
#include "trainers/torch/random.hpp"
#include "trainers/torch/schedule.hpp"
#include "trainers/trainer.hpp"

namespace betatune::classifier {
namespace {

constexpr std::int64_t kScoreBatch = 500;
/// Batches between two looks at the loss: a look waits for the GPU.
constexpr std::int64_t kLossCheckInterval = 32;

[[noreturn]] void rethrow(const std::string& text, bool known_oom) {
  const bool oom = known_oom || text.find("can't allocate memory") != std::string::npos ||
                   text.find("out of memory") != std::string::npos;
  // The lines after the first are a C++ backtrace.
  throw plugin::Failure(oom ? BETATUNE_OOM : BETATUNE_ERROR,
                        "libtorch: " + text.substr(0, text.find('\n')));
}

/// Runs `call`; libtorch's exceptions become plugin::Failure.
template <class F>
auto guarded(F call) {
  try {
    return call();
  } catch (const c10::OutOfMemoryError& e) {
    rethrow(e.what_without_backtrace(), true);
  } catch (const c10::Error& e) {
    rethrow(e.what_without_backtrace(), false);
  }
}

/// The buffers of one step are freed in its end and wanted again by the next. Left alone, glibc
/// gives them back to the kernel and takes page faults for them every time: up to a third of a
/// step.
void keep_freed_memory() {
  constexpr int kNever = std::numeric_limits<int>::max();
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, kNever);
  mallopt(M_TOP_PAD, 64 << 20);
}

torch::Device prepare(const Machine& machine) {
  keep_freed_memory();
  at::set_num_threads(std::max(machine.cpu_threads, 1));
  if (!machine.use_gpu) return torch::kCPU;
  // Deterministic as far as CUDA goes; an operation without such a version warns. cuBLAS reads its
  // part from the environment when CUDA starts.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  if (!torch::cuda::is_available()) return torch::kCPU;
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  return {torch::kCUDA, 0};
}

struct Split {
  const ImageSet* source;
  torch::Tensor pixels;  ///< n x height x width, bytes
  torch::Tensor labels;  ///< n
};

/// On CPUs the tensors share the memory of `set`, which must live longer.
Split on_device(const ImageSet& set, const Dataset& data, torch::Device device) {
  auto* pixels = const_cast<std::uint8_t*>(set.pixels.data());  // from_blob has no const; only read
  auto* labels = const_cast<std::int64_t*>(set.labels.data());
  return {&set,
          torch::from_blob(pixels, {set.count, data.height, data.width}, torch::kByte).to(device),
          torch::from_blob(labels, {set.count}, torch::kLong).to(device)};
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSettings& settings,
                                                        std::vector<torch::Tensor> parameters) {
  if (settings.kind == OptimizerKind::sgd) {
    return std::make_unique<torch::optim::SGD>(std::move(parameters),
                                               torch::optim::SGDOptions(settings.lr)
                                                   .momentum(settings.momentum)
                                                   .nesterov(settings.nesterov)
                                                   .weight_decay(settings.weight_decay));
  }
  return std::make_unique<torch::optim::AdamW>(std::move(parameters),
                                               torch::optim::AdamWOptions(settings.lr)
                                                   .betas({settings.beta1, settings.beta2})
                                                   .weight_decay(settings.weight_decay));
}

}  // namespace

struct Learner::Impl {
  Settings settings;
  std::uint64_t seed;
  torch::Device device;
  std::vector<Split> splits;  ///< train, validation, test
  std::shared_ptr<Network> network;
  std::vector<torch::Tensor> parameters;
  std::unique_ptr<torch::optim::Optimizer> optimizer;

  Impl(const Settings& s, const Dataset& data, std::uint64_t seed_, const Machine& machine)
      : settings(s), seed(seed_), device(prepare(machine)) {
    for (const ImageSet* set : {&data.train, &data.validation, &data.test}) {
      splits.push_back(on_device(*set, data, device));
    }
    torch::manual_seed(derive_key(seed, Purpose::weights));
    network = make_network(settings.model, data);
    network->to(device);
    parameters = network->parameters();
    optimizer = make_optimizer(settings.optimizer, parameters);
  }

  void set_learning_rate(double lr) {
    for (auto& group : optimizer->param_groups()) group.options().set_lr(lr);
  }

  /// One optimizer step; returns the batch's mean loss.
  torch::Tensor step(const torch::Tensor& batch) {
    const Split& train = splits.front();
    // Dropped rather than zeroed: backward() then moves its result instead of adding it.
    for (auto& parameter : parameters) parameter.mutable_grad().reset();
    const auto logits = network->forward(train.pixels.index_select(0, batch));
    const auto loss = torch::nn::functional::cross_entropy(
        logits, train.labels.index_select(0, batch),
        torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(settings.label_smoothing));
    loss.backward();
    optimizer->step();
    return loss.detach();
  }

  torch::Tensor epoch_order(std::int64_t epoch) const {
    const auto n = static_cast<std::uint64_t>(epoch);
    const auto order = permutation(static_cast<std::size_t>(splits.front().source->count),
                                   derive_key(seed, Purpose::order, n));
    return torch::tensor(order, torch::kLong).to(device);
  }
};

Learner::Learner(const Settings& settings, const Dataset& data, std::uint64_t seed,
                 const Machine& machine)
    : impl_(guarded([&] { return std::make_unique<Impl>(settings, data, seed, machine); })) {}

Learner::~Learner() = default;

EpochResult Learner::train_epoch(std::int64_t epoch) {
  return guarded([&] {
    Impl& m = *impl_;
    const auto started = std::chrono::steady_clock::now();
    m.network->train();
    torch::manual_seed(derive_key(m.seed, Purpose::dropout, static_cast<std::uint64_t>(epoch)));
    const torch::Tensor order = m.epoch_order(epoch);
    const std::int64_t samples = order.size(0), size = m.settings.batch_size;
    const std::int64_t batches = (samples + size - 1) / size;
    const auto all_steps = static_cast<double>(batches * m.settings.epochs);
    EpochResult result;
    auto loss_sum = torch::zeros({}, torch::dtype(torch::kDouble).device(m.device));
    for (std::int64_t i = 0; i < batches; ++i) {
      const auto done = static_cast<double>((epoch - 1) * batches + i);
      result.last_learning_rate =
          learning_rate(m.settings.schedule, m.settings.optimizer.lr, done / all_steps);
      m.set_learning_rate(result.last_learning_rate);
      const auto batch = order.slice(0, i * size, std::min((i + 1) * size, samples));
      loss_sum.add_(m.step(batch), static_cast<double>(batch.size(0)));
      result.samples += batch.size(0);
      const bool look = (i + 1) % kLossCheckInterval == 0 || i + 1 == batches;
      if (look && !std::isfinite(result.loss = loss_sum.item<double>())) break;
    }
    result.loss /= static_cast<double>(result.samples);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return result;
  });
}

Score Learner::score(const ImageSet& set) {
  return guarded([&] {
    Impl& m = *impl_;
    const auto split = std::find_if(m.splits.begin(), m.splits.end(),
                                    [&](const Split& s) { return s.source == &set; });
    TORCH_CHECK(split != m.splits.end(), "score() of a set that is not this learner's");
    const torch::NoGradGuard no_gradients;
    m.network->eval();
    double loss = 0, right = 0;
    for (std::int64_t begin = 0; begin < set.count; begin += kScoreBatch) {
      const std::int64_t end = std::min(begin + kScoreBatch, set.count);
      const auto labels = split->labels.slice(0, begin, end);
      const auto logits = m.network->forward(split->pixels.slice(0, begin, end));
      loss += torch::nn::functional::cross_entropy(
                  logits, labels,
                  torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum))
                  .item<double>();
      right += static_cast<double>(logits.argmax(1).eq(labels).sum().item<std::int64_t>());
    }
    const auto count = static_cast<double>(set.count);
    return Score{loss / count, right / count};
  });
}

void Learner::save(const std::string& directory) {
  guarded([&] {
    torch::serialize::OutputArchive weights, state;
    impl_->network->save(weights);
    weights.save_to(directory + "/model.pt");
    impl_->optimizer->save(state);
    state.save_to(directory + "/optimizer.pt");
  });
}

void Learner::load(const std::string& directory) {
  guarded([&] {
    torch::serialize::InputArchive weights, state;
    weights.load_from(directory + "/model.pt", impl_->device);
    impl_->network->load(weights);
    state.load_from(directory + "/optimizer.pt", impl_->device);
    impl_->optimizer->load(state);
  });
}

std::int64_t Learner::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& parameter : impl_->parameters) count += parameter.numel();
  return count;
}

bool Learner::on_gpu() const {
  return impl_->device.is_cuda();
}

std::string Learner::description() const {
  return impl_->device.str() + ", " + std::to_string(at::get_num_threads()) +
         " CPU thread(s), libtorch " + TORCH_VERSION;
}

std::string slow_blas_warning() {
  if (at::hasMKL()) return "";
  Dl_info where{};
  void* sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
  if (sgemm == nullptr || dladdr(sgemm, &where) == 0) return "";
  // OpenBLAS, BLIS and ATLAS export one of these, themselves or from a library they need; the
  // reference has none. (Another library may have loaded OpenBLAS for itself, hence by handle.)
  void* library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return "";
  bool fast = false;
  for (const char* symbol : {"openblas_get_config", "bli_info_get_version_str", "ATL_buildinfo"}) {
    fast = fast || dlsym(library, symbol) != nullptr;
  }
  const std::string file = where.dli_fname;
  dlclose(library);
  if (fast) return "";
  return "libtorch computes with the reference BLAS (" + file +
         "), about 20 times slower than OpenBLAS; install libopenblas0-openmp (Debian, Ubuntu)";
}

}  // namespace betatune::classifier
