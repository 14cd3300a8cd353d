/// Training steps on two or more ranks of this machine, one thread each: wall milliseconds per
/// step, and those of CPU of one rank. bench.py runs it beside PyTorch's DistributedDataParallel.
///
///   bench_distributed KIND MODEL RANKS STEPS [COMPRESSION] [tune]
///   KIND   alone (every rank for itself: what a step costs without an exchange), shared_memory,
///   gloo,
///          c10d (libtorch's own Reducer over Gloo)
///   MODEL  mlp (10 million parameters), cnn
///   tune   the communication is tuned before, in steps that do not count; what was found is
///   printed

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <torch/torch.h>
#include <unistd.h>

#include "trainers/torch/distributed/data_parallel.hpp"

namespace {

using namespace betatune::distributed;
using Clock = std::chrono::steady_clock;

constexpr int kWarmUp = 3, kTuningWindow = 10, kTuningSteps = 1'000;
constexpr std::int64_t kMlpBatch = 128, kCnnBatch = 64;  // per rank

torch::nn::Sequential make_model(const std::string& model) {
  namespace nn = torch::nn;
  if (model == "mlp") {
    return nn::Sequential(nn::Linear(784, 2048), nn::ReLU(), nn::Linear(2048, 2048), nn::ReLU(),
                          nn::Linear(2048, 2048), nn::ReLU(), nn::Linear(2048, 10));
  }
  return nn::Sequential(nn::Conv2d(nn::Conv2dOptions(1, 32, 3).padding(1)), nn::MaxPool2d(2),
                        nn::ReLU(), nn::Conv2d(nn::Conv2dOptions(32, 64, 3).padding(1)),
                        nn::MaxPool2d(2), nn::ReLU(), nn::Flatten(), nn::Linear(64 * 49, 128),
                        nn::ReLU(), nn::Linear(128, 10));
}

/// PyTorch's, as its Python face drives it.
class C10d final : public Strategy {
 public:
  explicit C10d(const World& world) : world_(world) {
    const auto path = parse_rendezvous(world.rendezvous).path;
    auto store = c10::make_intrusive<c10d::FileStore>(path, world.size);
    auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::seconds(60));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
    options->threads = 2;
    group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, world.rank, world.size, options);
  }
  void attach(const Replica& replica) override {
    for (const auto& [name, p] : replica.parameters) parameters_.push_back(p);
    for (const auto& p : parameters_) {
      std::vector<at::Tensor> one{p.detach()};
      group_->broadcast(one)->wait();
    }
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        parameters_, {c10d::kDefaultFirstBucketBytes, c10d::kDefaultBucketBytesCap}, {}, {}, {});
    std::reverse(buckets.begin(), buckets.end());
    std::reverse(limits.begin(), limits.end());
    reducer_ = std::make_unique<c10d::Reducer>(
        parameters_, buckets, limits, group_, std::vector<bool>(parameters_.size(), false),
        c10d::kDefaultBucketBytesCap, false, false, std::unordered_map<size_t, std::string>{},
        c10d::kDefaultFirstBucketBytes);
  }
  void before_forward() override {
    reducer_->rebuild_buckets();
    reducer_->prepare_for_forward();
  }
  void backward(const at::Tensor& loss, double, bool) override {
    reducer_->prepare_for_backward({loss});
    loss.backward();
  }
  StepResult step(torch::optim::Optimizer& optimizer) override {
    optimizer.step();
    for (auto& p : parameters_) p.mutable_grad().reset();
    return {};
  }
  void sum(std::vector<double>&) override {}
  int rank() const override { return world_.rank; }
  int size() const override { return world_.size; }
  std::string description() const override { return "c10d::Reducer"; }

 private:
  World world_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<c10d::Reducer> reducer_;
};

/// Of all threads of this process.
double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

std::unique_ptr<Strategy> make_strategy(const std::string& kind, World world,
                                        const std::string& compression, bool tune) {
  if (kind == "c10d") return std::make_unique<C10d>(world);
  DataParallelOptions options;
  options.compression.kind = compression_named(compression);
  options.compression.start = 0;
  if (tune) options.tuning_window = kTuningWindow;
  if (kind == "alone") {
    world.rank = 0;
    world.size = 1;
    return std::make_unique<DataParallel>(make_communicator(Backend::automatic, world), options);
  }
  return std::make_unique<DataParallel>(make_communicator(backend_named(kind), world), options);
}

void run(const World& world, const std::string& kind, const std::string& model, int steps,
         const std::string& compression, bool tune) {
  at::set_num_threads(1);
  torch::manual_seed(1);
  auto net = make_model(model);
  const auto strategy = make_strategy(kind, world, compression, tune);
  Replica replica;
  for (const auto& p : net->named_parameters()) {
    replica.parameters.emplace_back(p.key(), p.value());
  }
  strategy->attach(replica);
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  const std::int64_t batch = model == "mlp" ? kMlpBatch : kCnnBatch;
  auto x = model == "mlp" ? torch::randn({batch, 784}) : torch::randn({batch, 1, 28, 28});
  const auto y = torch::randint(10, {batch}, torch::kLong);
  std::vector<double> ms;
  double loss_value = 0, cpu_before = 0;
  const auto step = [&] {
    strategy->before_forward();
    const auto loss = torch::nn::functional::cross_entropy(net->forward(x), y);
    strategy->backward(loss, 1.0 / strategy->size(), true);
    strategy->step(optimizer);
    loss_value = loss.item<double>();
  };
  for (int i = 0; tune && strategy->metrics().empty() && i < kTuningSteps; ++i) step();
  for (int i = 0; i < kWarmUp + steps; ++i) {
    if (i == kWarmUp) cpu_before = cpu_ms();
    const auto begin = Clock::now();
    step();
    if (i >= kWarmUp) {
      ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
  }
  if (world.rank != 0) return;
  std::sort(ms.begin(), ms.end());
  std::printf("{\"wall_ms\": %.3f, \"cpu_ms\": %.3f, \"loss\": %.6f, \"news\": \"%s\"}\n",
              ms[ms.size() / 2], (cpu_ms() - cpu_before) / steps, loss_value,
              strategy->news().c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: bench_distributed KIND MODEL RANKS STEPS [COMPRESSION] [tune]\n");
    return 2;
  }
  char folder[] = "/tmp/betatune-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  World world;
  world.size = std::atoi(argv[3]);
  world.rendezvous = std::string("file://") + folder + "/rendezvous";
  world.timeout = std::chrono::seconds(60);
  for (int rank = 0; rank < world.size; ++rank) {
    if (fork() != 0) continue;
    world.rank = rank;
    try {
      run(world, argv[1], argv[2], std::atoi(argv[4]), argc > 5 ? argv[5] : "none",
          argc > 6 && std::string(argv[6]) == "tune");
    } catch (const std::exception& e) {
      std::fprintf(stderr, "rank %d: %s\n", rank, e.what());
      _exit(1);
    }
    _exit(0);
  }
  int failed = 0;
  for (int status = 0; wait(&status) > 0;) failed += status == 0 ? 0 : 1;
  std::filesystem::remove_all(folder);
  return failed;
}
