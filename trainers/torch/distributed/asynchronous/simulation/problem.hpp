#pragma once
/// A small training problem with a real loss: pictures like handwritten digits, made from a seed,
/// and a network of one hidden layer with gradients written by hand.

#include <cstdint>

#include "trainers/torch/distributed/asynchronous/layers.hpp"

namespace betatune::distributed::asynchronous {

struct ProblemSettings {
  std::uint64_t seed = 1;
  std::size_t train = 8'192, test = 1'024;  ///< pictures
  std::size_t hidden = 32;                  ///< units; 0: softmax regression
  double noise = 0.4;                       ///< standard deviation of a pixel's noise
  float contrast = 3;                       ///< factor on all pixels: how stiff the problem is
};

/// 8 x 8 pictures of 10 classes. Each class has two ways of being written, made of random strokes;
/// a picture is one of them, moved by up to a pixel, made lighter or darker, plus noise.
/// The network: hidden tanh units (or none), softmax, mean cross-entropy in nats.
/// Layers: hidden weights [64 x hidden], hidden biases, output weights [hidden x 10], output
/// biases.
class DigitsProblem {
 public:
  explicit DigitsProblem(const ProblemSettings& settings);

  Layers initial(std::uint64_t seed) const;
  /// Mean loss of `batch` training pictures drawn by (seed, step); the gradient is overwritten.
  double loss_and_gradient(const Layers& parameters, std::uint64_t seed, std::uint64_t step,
                           std::size_t batch, Layers& gradient) const;
  /// Mean over all test pictures; not finite if the parameters are not.
  double test_loss(const Layers& parameters) const;
  double test_accuracy(const Layers& parameters) const;

 private:
  struct Pictures {
    std::vector<float> pixels;
    std::vector<int> labels;
  };
  Pictures make(std::size_t count, std::uint64_t stream) const;
  /// Fills the hidden units and the probabilities; returns the loss of `label`.
  double forward(const Layers& parameters, const float* picture, int label,
                 std::vector<float>& units, std::vector<float>& probabilities) const;
  void backward(const Layers& parameters, const float* picture, const std::vector<float>& units,
                const std::vector<float>& errors, std::vector<float>& hidden_errors,
                Layers& gradient) const;

  ProblemSettings settings_;
  std::vector<float> styles_;
  Pictures train_, test_;
};

}  // namespace betatune::distributed::asynchronous
