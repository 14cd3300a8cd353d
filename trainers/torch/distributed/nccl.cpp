/// The Communicator over NCCL, for ranks with a GPU each. Compiled, never run: see
/// docs/distributed.md.

#include <ATen/ATen.h>
#include <cuda_runtime_api.h>
#include <map>
#include <torch/cuda.h>
#include <unistd.h>

#include "trainers/torch/distributed/backends.hpp"
#include "trainers/torch/distributed/nccl_channel.hpp"

namespace betatune::distributed {

const bool kHasNccl = true;

namespace {

ncclDataType_t type_of(const at::Tensor& tensor) {
  switch (element_of(tensor)) {
    case Element::float64:
      return ncclFloat64;
    case Element::int64:
      return ncclInt64;
    case Element::int32:
      return ncclInt32;
    case Element::uint8:
      return ncclUint8;
    case Element::float16:
      return ncclFloat16;
    case Element::bfloat16:
      return ncclBfloat16;
    case Element::float32:
      break;
  }
  return ncclFloat32;
}

ncclRedOp_t operator_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::average:
      return ncclAvg;
    case Reduction::maximum:
      return ncclMax;
    case Reduction::minimum:
      return ncclMin;
    case Reduction::sum:
      break;
  }
  return ncclSum;
}

std::size_t count_of(const at::Tensor& tensor) {
  return static_cast<std::size_t>(tensor.numel());
}

at::Device gpu_of(const World& world) {
  const auto gpus = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (gpus == 0) {
    throw CommunicationError(BETATUNE_ERROR,
                             "nccl is for ranks with a GPU each, and rank " +
                                 std::to_string(world.rank) +
                                 " sees none: give the trial as many (resources.gpus)");
  }
  return {at::kCUDA, static_cast<at::DeviceIndex>(world.local_rank % gpus)};
}

/// Of the machine too: two have a GPU at the same place.
std::string name_of_gpu(at::Device gpu) {
  char host[256] = {}, bus[64] = {};
  (void)gethostname(host, sizeof host - 1);
  const cudaError_t found = cudaDeviceGetPCIBusId(bus, sizeof bus, gpu.index());
  if (found != cudaSuccess) {
    throw CommunicationError(
        BETATUNE_ERROR, "the GPU " + gpu.str() + " cannot be used: " + cudaGetErrorString(found));
  }
  return std::string(bus) + " of " + host;
}

/// Messages from one rank to one other: a communicator of the two, made when the first is sent, by
/// a thread of its own. Of a common one the operations would wait for each other, and ranks that
/// send in a ring for ever.
struct Lane {
  std::unique_ptr<NcclChannel> channel;
  WorkQueue queue;  ///< ended first: it uses the channel
};

class Nccl final : public Communicator {
 public:
  explicit Nccl(const World& world)
      : Communicator(world), gpu_(gpu_of(world)), watcher_(std::make_shared<Watcher>(world)) {
    refuse_shared_gpus();
    all_ = std::make_unique<NcclChannel>(
        watcher_, world.timeout, gpu_, NcclChannel::Group{"nccl/all", rank(), size()},
        [this](const std::string& error) { watcher_->explain("connecting the ranks", 0, error); });
  }

  std::string name() const override { return "nccl"; }
  at::Device device() const override { return gpu_; }

  Handle start_all_reduce(at::Tensor tensor, Reduction reduction) override {
    check_here("all_reduce", tensor);
    check_reduction(tensor, reduction);
    return collective("all_reduce", {tensor}, [=](ncclComm_t group, cudaStream_t stream) {
      return ncclAllReduce(tensor.data_ptr(), tensor.data_ptr(), count_of(tensor), type_of(tensor),
                           operator_of(reduction), group, stream);
    });
  }
  Handle start_broadcast(at::Tensor tensor, int root) override {
    check_here("broadcast", tensor);
    check_rank("broadcast", world(), root, true);
    return collective("broadcast", {tensor}, [=](ncclComm_t group, cudaStream_t stream) {
      return ncclBroadcast(tensor.data_ptr(), tensor.data_ptr(), tensor.nbytes(), ncclUint8, root,
                           group, stream);
    });
  }
  Handle start_all_gather(at::Tensor output, at::Tensor input) override {
    check_here("all_gather", output);
    check_here("all_gather", input);
    check_sizes("all_gather", output, input, size());
    return collective("all_gather", {input, output}, [=](ncclComm_t group, cudaStream_t stream) {
      return ncclAllGather(input.data_ptr(), output.data_ptr(), input.nbytes(), ncclUint8, group,
                           stream);
    });
  }
  Handle start_reduce_scatter(at::Tensor output, at::Tensor input, Reduction reduction) override {
    check_here("reduce_scatter", output);
    check_here("reduce_scatter", input);
    check_sizes("reduce_scatter", input, output, size());
    check_reduction(input, reduction);
    return collective(
        "reduce_scatter", {input, output}, [=](ncclComm_t group, cudaStream_t stream) {
          return ncclReduceScatter(input.data_ptr(), output.data_ptr(), count_of(output),
                                   type_of(output), operator_of(reduction), group, stream);
        });
  }
  Handle start_send(at::Tensor tensor, int to) override {
    check_here("send", tensor);
    check_rank("send", world(), to, false);
    return message(sends_[to], rank(), to, tensor, [=](ncclComm_t pair, cudaStream_t stream) {
      return ncclSend(tensor.data_ptr(), tensor.nbytes(), ncclUint8, 1, pair, stream);
    });
  }
  Handle start_receive(at::Tensor tensor, int from) override {
    check_here("receive", tensor);
    check_rank("receive", world(), from, false);
    return message(
        receives_[from], from, rank(), tensor, [=](ncclComm_t pair, cudaStream_t stream) {
          return ncclRecv(tensor.data_ptr(), tensor.nbytes(), ncclUint8, 0, pair, stream);
        });
  }
  void abort(const std::string& reason) override {
    watcher_->abort(reason);
    all_->give_up(reason);
  }

 private:
  void check_here(const char* operation, const at::Tensor& tensor) const {
    check_tensor(operation, tensor, at::kCUDA);
    if (tensor.device() == gpu_) return;
    throw CommunicationError(
        BETATUNE_ERROR, std::string(operation) + " of a tensor on " + tensor.device().str() +
                            " by rank " + std::to_string(rank()) + ", whose GPU is " + gpu_.str());
  }

  /// NCCL would only say "invalid usage".
  void refuse_shared_gpus() const {
    const auto key = [](int of) { return "gpu/" + std::to_string(of); };
    const std::string mine = name_of_gpu(gpu_);
    const auto store = watcher_->store();
    store->set(key(rank()), std::vector<std::uint8_t>(mine.begin(), mine.end()));
    std::map<std::string, int> owners;
    for (int other = 0; other < size(); ++other) {
      const auto bytes = store->get(key(other));
      const std::string gpu(bytes.begin(), bytes.end());
      const auto [owner, is_new] = owners.emplace(gpu, other);
      if (is_new) continue;
      throw CommunicationError(
          BETATUNE_ERROR, "ranks " + std::to_string(owner->second) + " and " +
                              std::to_string(other) + " share the GPU " + gpu +
                              ", and nccl takes one rank per GPU: give the trial a GPU for each of "
                              "its ranks (resources.gpus), or fewer ranks");
    }
  }

  Handle collective(const char* operation, std::vector<at::Tensor> tensors,
                    const NcclChannel::Enqueue& enqueue) {
    const std::uint64_t number = watcher_->count();
    const std::string what = text_of(operation, tensors[0]);
    return all_->start(mark_current_stream(gpu_), std::move(tensors), enqueue,
                       [watcher = watcher_, what, number](const std::string& error) {
                         watcher->explain(what, number, error);
                       });
  }

  Handle message(Lane& lane, int from, int to, const at::Tensor& tensor,
                 const NcclChannel::Enqueue& enqueue) {
    const Blame blame = [from, to, sends = from == rank()](const std::string& error) {
      throw CommunicationError(BETATUNE_INFRA,
                               (sends ? "send to rank " + std::to_string(to)
                                      : "receive from rank " + std::to_string(from)) +
                                   ": it did not come in time, or is dead; " + error);
    };
    const std::string key = "nccl/" + std::to_string(from) + "/" + std::to_string(to);
    const NcclChannel::Group pair{key, from == rank() ? 0 : 1, 2};
    return lane.queue.start([&lane, pair, tensor, enqueue, blame, ready = mark_current_stream(gpu_),
                             watcher = watcher_, timeout = world().timeout, gpu = gpu_] {
      if (!lane.channel) {
        lane.channel = std::make_unique<NcclChannel>(watcher, timeout, gpu, pair, blame);
      }
      lane.channel->start(ready, {tensor}, enqueue, blame)->wait();
    });
  }

  at::Device gpu_;
  std::shared_ptr<Watcher> watcher_;
  std::unique_ptr<NcclChannel> all_;
  std::map<int, Lane> sends_, receives_;  ///< by the other rank
};

}  // namespace

std::unique_ptr<Communicator> make_nccl(const World& world) {
  return std::make_unique<Nccl>(world);
}

}  // namespace betatune::distributed
