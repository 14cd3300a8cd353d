/// Communicators that need no network: over shared memory, and of one rank.

#include <ATen/ATen.h>
#include <utility>

#include "trainers/torch/distributed/backends.hpp"
#include "trainers/torch/distributed/shared_collectives.hpp"

namespace betatune::distributed {
namespace {

std::byte* bytes(const at::Tensor& tensor) {
  return static_cast<std::byte*>(tensor.data_ptr());
}

class SharedMemory final : public Communicator {
 public:
  explicit SharedMemory(const World& world)
      : Communicator(world), collectives_(world, rendezvous_path(world)) {}
  ~SharedMemory() override {
    // What was started and not waited for must not keep this process until the timeout.
    if (!work_.idle() || !sends_.idle() || !receives_.idle()) abort("it ended in the middle");
  }

  std::string name() const override { return "shared_memory"; }

  Handle start_all_reduce(at::Tensor tensor, Reduction reduction) override {
    check_tensor("all_reduce", tensor, at::kCPU);
    check_reduction(tensor, reduction);
    return work_.start([this, tensor, reduction, element = element_of(tensor)] {
      collectives_.all_reduce(bytes(tensor), count(tensor), element, reduction);
    });
  }
  Handle start_broadcast(at::Tensor tensor, int root) override {
    check_tensor("broadcast", tensor, at::kCPU);
    check_rank("broadcast", world(), root, true);
    return work_.start(
        [this, tensor, root] { collectives_.broadcast(bytes(tensor), tensor.nbytes(), root); });
  }
  Handle start_all_gather(at::Tensor output, at::Tensor input) override {
    check_tensor("all_gather", output, at::kCPU);
    check_tensor("all_gather", input, at::kCPU);
    check_sizes("all_gather", output, input, size());
    return work_.start([this, output, input] {
      collectives_.all_gather(bytes(output), bytes(input), input.nbytes());
    });
  }
  Handle start_reduce_scatter(at::Tensor output, at::Tensor input, Reduction reduction) override {
    check_tensor("reduce_scatter", output, at::kCPU);
    check_tensor("reduce_scatter", input, at::kCPU);
    check_sizes("reduce_scatter", input, output, size());
    check_reduction(input, reduction);
    return work_.start([this, output, input, reduction, element = element_of(input)] {
      collectives_.reduce_scatter(bytes(output), bytes(input), count(output), element, reduction);
    });
  }
  Handle start_send(at::Tensor tensor, int to) override {
    check_tensor("send", tensor, at::kCPU);
    check_rank("send", world(), to, false);
    return sends_.start(
        [this, tensor, to] { collectives_.send(bytes(tensor), tensor.nbytes(), to); });
  }
  Handle start_receive(at::Tensor tensor, int from) override {
    check_tensor("receive", tensor, at::kCPU);
    check_rank("receive", world(), from, false);
    return receives_.start(
        [this, tensor, from] { collectives_.receive(bytes(tensor), tensor.nbytes(), from); });
  }
  std::vector<std::size_t> pieces() const override {
    std::vector<std::size_t> sizes;
    for (std::size_t bytes = 64 << 10; bytes <= SharedCollectives::kMostPiece; bytes *= 2) {
      sizes.push_back(bytes);
    }
    return sizes;
  }
  std::size_t piece() const override { return collectives_.piece(); }
  void set_piece(std::size_t bytes) override { collectives_.set_piece(bytes); }
  void abort(const std::string& reason) override { collectives_.abort(reason); }

 private:
  static std::string rendezvous_path(const World& world) {
    const auto rendezvous = parse_rendezvous(world.rendezvous);
    if (rendezvous.kind == Rendezvous::Kind::file) return rendezvous.path;
    throw CommunicationError(
        BETATUNE_ERROR,
        "the shared_memory backend is for the ranks of one machine and meets at "
        "\"file:///path\", not at " +
            world.rendezvous + "; gloo meets there");
  }
  static std::size_t count(const at::Tensor& tensor) {
    return static_cast<std::size_t>(tensor.numel());
  }

  SharedCollectives collectives_;
  WorkQueue work_, sends_, receives_;  // before collectives_ they end
};

class Finished final : public Work {
 public:
  void wait() override {}
  Span span() const override { return {now_, now_}; }

 private:
  Clock::time_point now_ = Clock::now();
};

class Alone final : public Communicator {
 public:
  using Communicator::Communicator;
  std::string name() const override { return "alone"; }
  Handle start_all_reduce(at::Tensor tensor, Reduction reduction) override {
    check_reduction(tensor, reduction);
    return std::make_shared<Finished>();
  }
  Handle start_broadcast(at::Tensor, int root) override {
    check_rank("broadcast", world(), root, true);
    return std::make_shared<Finished>();
  }
  Handle start_all_gather(at::Tensor output, at::Tensor input) override {
    check_sizes("all_gather", output, input, 1);
    output.view(-1).copy_(input.reshape(-1));
    return std::make_shared<Finished>();
  }
  Handle start_reduce_scatter(at::Tensor output, at::Tensor input, Reduction reduction) override {
    check_reduction(input, reduction);
    check_sizes("reduce_scatter", input, output, 1);
    output.view(-1).copy_(input.reshape(-1));
    return std::make_shared<Finished>();
  }
  Handle start_send(at::Tensor, int to) override {
    check_rank("send", world(), to, false);
    return std::make_shared<Finished>();
  }
  Handle start_receive(at::Tensor, int from) override {
    check_rank("receive", world(), from, false);
    return std::make_shared<Finished>();
  }
  void abort(const std::string&) override {}
};

}  // namespace

std::unique_ptr<Communicator> make_alone(const World& world) {
  return std::make_unique<Alone>(world);
}

std::unique_ptr<Communicator> make_shared_memory(const World& world) {
  return std::make_unique<SharedMemory>(world);
}

}  // namespace betatune::distributed
