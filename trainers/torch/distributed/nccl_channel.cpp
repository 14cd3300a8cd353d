#include "trainers/torch/distributed/nccl_channel.hpp"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cstring>
#include <cuda_runtime_api.h>
#include <thread>
#include <utility>

namespace betatune::distributed {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr microseconds kSpin{200};  ///< an exchange is often over by then
constexpr microseconds kPause{20};  ///< between two looks after that
constexpr milliseconds kLook{1};    ///< between two looks at NCCL's errors and the other ranks
constexpr milliseconds kFarewell{2000};

void check(const char* what, cudaError_t error) {
  if (error == cudaSuccess) return;
  throw CommunicationError(BETATUNE_ERROR,
                           std::string("CUDA, ") + what + ": " + cudaGetErrorString(error));
}

/// What an operation did wrong, before it is known which rank is to blame.
class NcclError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string text_of(const char* what, ncclResult_t result, ncclComm_t communicator) {
  const char* last = ncclGetLastError(communicator);
  std::string text = std::string("nccl, ") + what + ": " + ncclGetErrorString(result);
  if (last != nullptr && *last != '\0') text += std::string(" (") + last + ')';
  return text;
}

}  // namespace

class CudaEvent {
 public:
  CudaEvent() {
    check("making an event", cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
  }
  ~CudaEvent() { (void)cudaEventDestroy(event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  void record(cudaStream_t stream) { check("recording an event", cudaEventRecord(event_, stream)); }
  void hold(cudaStream_t stream) const {
    check("waiting for an event", cudaStreamWaitEvent(stream, event_, 0));
  }
  bool reached() const {
    const cudaError_t state = cudaEventQuery(event_);
    if (state == cudaErrorNotReady) return false;
    if (state != cudaSuccess) throw NcclError(std::string("CUDA: ") + cudaGetErrorString(state));
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

std::shared_ptr<CudaEvent> mark_current_stream(at::Device device) {
  const c10::cuda::CUDAGuard guard(device);
  auto event = std::make_shared<CudaEvent>();
  event->record(c10::cuda::getCurrentCUDAStream(device.index()).stream());
  return event;
}

struct NcclChannel::Stream {
  c10::cuda::CUDAStream stream;
};

class NcclChannel::Queued final : public Work {
 public:
  Queued(NcclChannel& channel, std::vector<at::Tensor> tensors, Blame blame)
      : channel_(channel), tensors_(std::move(tensors)), blame_(std::move(blame)) {}

  void wait() override {
    if (tensors_.empty()) return;
    try {
      channel_.wait(done);
    } catch (const NcclError& e) {
      channel_.give_up(e.what());
      blame_(e.what());
    }
    tensors_.clear();
    end_ = Clock::now();
  }
  /// From the start to the end as the host saw them: a GPU has no clock of ours.
  Span span() const override { return {begin_, end_}; }

  CudaEvent done;

 private:
  NcclChannel& channel_;
  std::vector<at::Tensor> tensors_;  ///< kept until the GPU has done with them; then none
  Blame blame_;
  Clock::time_point begin_ = Clock::now(), end_ = begin_;
};

NcclChannel::NcclChannel(std::shared_ptr<Watcher> watcher, milliseconds timeout, at::Device device,
                         const Group& group, const Blame& blame)
    : watcher_(std::move(watcher)), timeout_(timeout), device_(device) {
  const c10::cuda::CUDAGuard guard(device_);
  stream_ = std::make_unique<Stream>(
      Stream{c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device_.index())});
  try {
    connect(group);
  } catch (const NcclError& e) {
    give_up(e.what());
    blame(e.what());
  } catch (...) {
    give_up("connecting failed");
    throw;
  }
}

void NcclChannel::connect(const Group& group) {
  ncclUniqueId id{};
  if (group.rank == 0) {
    const ncclResult_t made = ncclGetUniqueId(&id);
    if (made != ncclSuccess) throw NcclError(text_of("making an id", made, nullptr));
    const std::vector<std::uint8_t> bytes(id.internal, id.internal + sizeof id.internal);
    watcher_->store()->set(group.key, bytes);
  } else {
    const auto deadline = Clock::now() + timeout_;
    while (!watcher_->store()->check({group.key})) {
      fail_if_others_gave_up();
      if (Clock::now() > deadline) throw NcclError("no id of NCCL came from the first rank");
      std::this_thread::sleep_for(kLook);
    }
    const auto bytes = watcher_->store()->get(group.key);
    if (bytes.size() != sizeof id.internal) throw NcclError("the id of NCCL is damaged");
    std::memcpy(id.internal, bytes.data(), bytes.size());
  }
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  settle("connecting the ranks",
         ncclCommInitRankConfig(&communicator_, group.size, id, group.rank, &config));
}

NcclChannel::~NcclChannel() {
  if (communicator_ == nullptr) return;
  const c10::cuda::CUDAGuard guard(device_);
  ncclResult_t state = ncclCommFinalize(communicator_);
  const auto deadline = Clock::now() + kFarewell;
  while (state == ncclInProgress && Clock::now() < deadline) {
    std::this_thread::sleep_for(kLook);
    if (ncclCommGetAsyncError(communicator_, &state) != ncclSuccess) break;
  }
  (void)(state == ncclSuccess ? ncclCommDestroy(communicator_) : ncclCommAbort(communicator_));
}

void NcclChannel::give_up(const std::string& reason) {
  if (given_up_) return;
  given_up_ = reason;
  if (communicator_ == nullptr) return;
  const c10::cuda::CUDAGuard guard(device_);
  (void)ncclCommAbort(std::exchange(communicator_, nullptr));
}

void NcclChannel::fail_if_others_gave_up() {
  const std::string reason = watcher_->aborted();
  if (reason.empty()) return;
  give_up(reason);
  throw CommunicationError(BETATUNE_INFRA, reason);
}

void NcclChannel::settle(const char* what, ncclResult_t result) {
  const auto deadline = Clock::now() + timeout_;
  while (result == ncclInProgress) {
    fail_if_others_gave_up();
    if (Clock::now() > deadline) {
      throw NcclError(std::string("nccl, ") + what + ": not done in " +
                      std::to_string(timeout_.count()) + " ms");
    }
    std::this_thread::sleep_for(kPause);
    const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &result);
    if (asked != ncclSuccess) result = asked;
  }
  if (result != ncclSuccess) throw NcclError(text_of(what, result, communicator_));
}

void NcclChannel::wait(const CudaEvent& done) {
  const auto begin = Clock::now();
  auto look = begin + kLook;
  for (auto now = begin; !done.reached(); now = Clock::now()) {
    if (now - begin < kSpin) {
      std::this_thread::yield();
      continue;
    }
    std::this_thread::sleep_for(kPause);
    if (now < look) continue;
    look = now + kLook;
    fail_if_others_gave_up();
    if (given_up_) throw CommunicationError(BETATUNE_INFRA, "nccl was given up: " + *given_up_);
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &state);
    if (asked != ncclSuccess) state = asked;
    if (state != ncclSuccess && state != ncclInProgress) {
      throw NcclError(text_of("an operation", state, communicator_));
    }
    if (now - begin > timeout_) {
      throw NcclError("not done in " + std::to_string(timeout_.count()) + " ms");
    }
  }
  // Kernels that were given up end too, without a result.
  if (given_up_) throw CommunicationError(BETATUNE_INFRA, "nccl was given up: " + *given_up_);
}

std::shared_ptr<Work> NcclChannel::start(const std::shared_ptr<CudaEvent>& ready,
                                         std::vector<at::Tensor> tensors, const Enqueue& enqueue,
                                         Blame blame) {
  if (given_up_) throw CommunicationError(BETATUNE_INFRA, "nccl was given up: " + *given_up_);
  const c10::cuda::CUDAGuard guard(device_);
  const cudaStream_t stream = stream_->stream.stream();
  // Else their memory could be given out again if nobody waits for the work.
  for (const at::Tensor& tensor : tensors) tensor.record_stream(stream_->stream.unwrap());
  ready->hold(stream);
  const auto queued = std::make_shared<Queued>(*this, std::move(tensors), blame);
  try {
    settle("starting an operation", enqueue(communicator_, stream));
  } catch (const NcclError& e) {
    give_up(e.what());
    blame(e.what());
  }
  queued->done.record(stream);
  return queued;
}

}  // namespace betatune::distributed
