#pragma once
/// What neighbouring stages of a pipeline send to each other: activations forward, with a line of
/// numbers that says their type and shape, and gradients of the same shape backward. Sending does
/// not wait; a message that is on its way is kept. Needs libtorch.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {

class StageLink {
 public:
  /// Rank s of the communicator, which must live longer, is stage s.
  /// device  of the activations
  StageLink(Communicator& communicator, at::Device device)
      : communicator_(communicator), device_(device) {}

  bool first() const { return communicator_.rank() == 0; }
  bool last() const { return communicator_.rank() + 1 == communicator_.size(); }

  /// To the next stage. answered: its gradient will be received, which shows that it arrived.
  /// errors plugin::Failure (BETATUNE_ERROR) for more than 8 dimensions
  void send_activation(const at::Tensor& activation, bool answered);
  at::Tensor receive_activation();
  /// To the stage before.
  void send_gradient(const at::Tensor& gradient);
  /// Of the oldest activation that has none; has its shape and type.
  at::Tensor receive_gradient(const at::Tensor& activation);

  /// Waits until everything that was sent has arrived.
  void finish();

 private:
  struct Message {
    at::Tensor header, content;  ///< kept while they are on their way
    Communicator::Handle header_sent, content_sent;
    void wait() const;
  };
  static void wait_for_oldest(std::deque<Message>& messages, std::size_t keep);

  Communicator& communicator_;
  at::Device device_;
  std::deque<Message> activations_, gradients_;
};

}  // namespace betatune::distributed
