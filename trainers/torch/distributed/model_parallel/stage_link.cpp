#include "trainers/torch/distributed/model_parallel/stage_link.hpp"

#include <ATen/ATen.h>
#include <string>

namespace betatune::distributed {
namespace {

constexpr std::int64_t kDimensions = 8;
constexpr std::int64_t kHeader = 2 + kDimensions;  ///< type, dimensions, sizes

/// Gradients that may be on their way. The stage before, which receives them in order, waits for
/// nothing that is behind them here, so waiting for the third last one ends.
constexpr std::size_t kOnTheirWay = 2;

}  // namespace

void StageLink::Message::wait() const {
  if (header_sent) header_sent->wait();
  content_sent->wait();
}

void StageLink::wait_for_oldest(std::deque<Message>& messages, std::size_t keep) {
  for (; messages.size() > keep; messages.pop_front()) messages.front().wait();
}

void StageLink::send_activation(const at::Tensor& activation, bool answered) {
  if (activation.dim() > kDimensions) {
    throw plugin::Failure(BETATUNE_ERROR, "stage " + std::to_string(communicator_.rank()) +
                                              " has an output with " +
                                              std::to_string(activation.dim()) +
                                              " dimensions; a pipeline passes on at most " +
                                              std::to_string(kDimensions));
  }
  std::vector<std::int64_t> numbers(kHeader, 0);
  numbers[0] = static_cast<std::int64_t>(activation.scalar_type());
  numbers[1] = activation.dim();
  for (std::int64_t i = 0; i < activation.dim(); ++i) {
    numbers[static_cast<std::size_t>(2 + i)] = activation.size(i);
  }
  const int next = communicator_.rank() + 1;
  Message message;
  message.header = at::tensor(numbers, at::kLong).to(device_);
  message.content = activation.contiguous();
  message.header_sent = communicator_.start_send(message.header, next);
  message.content_sent = communicator_.start_send(message.content, next);
  activations_.push_back(std::move(message));
  if (!answered) wait_for_oldest(activations_, kOnTheirWay);
}

at::Tensor StageLink::receive_activation() {
  const int previous = communicator_.rank() - 1;
  const auto header = at::empty({kHeader}, at::dtype(at::kLong).device(device_));
  communicator_.receive(header, previous);
  const auto there = header.to(at::kCPU);
  const std::int64_t* numbers = there.data_ptr<std::int64_t>();
  const auto activation =
      at::empty(at::IntArrayRef(numbers + 2, static_cast<std::size_t>(numbers[1])),
                at::dtype(static_cast<at::ScalarType>(numbers[0])).device(device_));
  communicator_.receive(activation, previous);
  return activation;
}

void StageLink::send_gradient(const at::Tensor& gradient) {
  Message message;
  message.content = gradient.contiguous();
  message.content_sent = communicator_.start_send(message.content, communicator_.rank() - 1);
  gradients_.push_back(std::move(message));
  wait_for_oldest(gradients_, kOnTheirWay);
}

at::Tensor StageLink::receive_gradient(const at::Tensor& activation) {
  const auto gradient = at::empty(activation.sizes(), activation.options().requires_grad(false));
  communicator_.receive(gradient, communicator_.rank() + 1);
  // The next stage had the activation to compute this from.
  activations_.front().wait();
  activations_.pop_front();
  return gradient;
}

void StageLink::finish() {
  wait_for_oldest(activations_, 0);
  wait_for_oldest(gradients_, 0);
}

}  // namespace betatune::distributed
