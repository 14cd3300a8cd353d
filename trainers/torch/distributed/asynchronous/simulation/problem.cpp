#include "trainers/torch/distributed/asynchronous/simulation/problem.hpp"

#include <algorithm>
#include <cmath>

#include "trainers/torch/distributed/asynchronous/simulation/random_stream.hpp"

namespace betatune::distributed::asynchronous {
namespace {

constexpr std::size_t kSide = 8, kPixels = kSide * kSide, kClasses = 10, kStyles = 2;

/// A picture of a few straight strokes, blurred over the neighbours.
void draw_strokes(RandomStream& random, float* picture) {
  for (int stroke = 0; stroke < 3; ++stroke) {
    const double x0 = 1 + 6 * random.uniform(), y0 = 1 + 6 * random.uniform();
    const double x1 = 1 + 6 * random.uniform(), y1 = 1 + 6 * random.uniform();
    for (int i = 0; i <= 12; ++i) {
      const double t = i / 12.0, x = x0 + t * (x1 - x0), y = y0 + t * (y1 - y0);
      for (std::size_t p = 0; p < kPixels; ++p) {
        const double dx = static_cast<double>(p % kSide) - x;
        const double dy = static_cast<double>(p / kSide) - y;
        const auto ink = static_cast<float>(std::exp(-(dx * dx + dy * dy)));
        picture[p] = std::max(picture[p], 2 * ink);
      }
    }
  }
}

/// out <- bias + weights' * in; weights are [inputs x outputs]: the inner loop is over outputs, so
/// that it can be vectorised without changing the order of any sum.
void affine(const Layer& weights, const Layer& bias, const float* in, std::size_t inputs,
            std::vector<float>& out) {
  const std::size_t outputs = bias.size();
  std::copy(bias.begin(), bias.end(), out.begin());
  for (std::size_t i = 0; i < inputs; ++i) {
    const float* w = weights.data() + i * outputs;
    for (std::size_t o = 0; o < outputs; ++o) out[o] += in[i] * w[o];
  }
}

/// Adds the gradient of affine().
void outer(const std::vector<float>& errors, const float* in, std::size_t inputs, Layer& weights,
           Layer& bias) {
  const std::size_t outputs = bias.size();
  for (std::size_t i = 0; i < inputs; ++i) {
    float* w = weights.data() + i * outputs;
    for (std::size_t o = 0; o < outputs; ++o) w[o] += in[i] * errors[o];
  }
  for (std::size_t o = 0; o < outputs; ++o) bias[o] += errors[o];
}

}  // namespace

DigitsProblem::DigitsProblem(const ProblemSettings& settings)
    : settings_(settings), styles_(kClasses * kStyles * kPixels, 0.0f) {
  RandomStream random(settings.seed, 1);
  for (std::size_t s = 0; s < kClasses * kStyles; ++s) {
    draw_strokes(random, styles_.data() + s * kPixels);
  }
  train_ = make(settings.train, 2);
  test_ = make(settings.test, 3);
}

DigitsProblem::Pictures DigitsProblem::make(std::size_t count, std::uint64_t stream) const {
  RandomStream random(settings_.seed, stream);
  Pictures out{std::vector<float>(count * kPixels), std::vector<int>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t label = random.below(kClasses);
    out.labels[i] = static_cast<int>(label);
    const float* style = styles_.data() + (label * kStyles + random.below(kStyles)) * kPixels;
    const auto right = static_cast<long>(random.below(3)) - 1;
    const auto down = static_cast<long>(random.below(3)) - 1;
    const auto ink = static_cast<float>(0.7 + 0.6 * random.uniform());
    for (std::size_t p = 0; p < kPixels; ++p) {
      const long x = static_cast<long>(p % kSide) - right, y = static_cast<long>(p / kSide) - down;
      const bool inside = x >= 0 && y >= 0 && x < long{kSide} && y < long{kSide};
      const float dot = inside ? style[y * long{kSide} + x] : 0.0f;
      out.pixels[i * kPixels + p] =
          settings_.contrast *
          (ink * dot - 0.5f + static_cast<float>(settings_.noise * random.normal()));
    }
  }
  return out;
}

Layers DigitsProblem::initial(std::uint64_t seed) const {
  RandomStream random(seed, 4);
  const std::size_t inputs = settings_.hidden > 0 ? settings_.hidden : kPixels;
  Layers layers;
  const auto add = [&](std::size_t from, std::size_t to) {
    Layer weights(from * to);
    const double spread = 1 / std::sqrt(static_cast<double>(from));
    for (auto& w : weights) w = static_cast<float>(spread * random.normal());
    layers.push_back(std::move(weights));
    layers.emplace_back(to, 0.0f);
  };
  if (settings_.hidden > 0) add(kPixels, settings_.hidden);
  add(inputs, kClasses);
  return layers;
}

double DigitsProblem::forward(const Layers& parameters, const float* picture, int label,
                              std::vector<float>& units, std::vector<float>& probabilities) const {
  const float* inputs = picture;
  std::size_t width = kPixels, at = 0;
  if (settings_.hidden > 0) {
    units.resize(settings_.hidden);
    affine(parameters[0], parameters[1], picture, kPixels, units);
    for (auto& unit : units) unit = std::tanh(unit);
    inputs = units.data();
    width = settings_.hidden;
    at = 2;
  }
  probabilities.resize(kClasses);
  affine(parameters[at], parameters[at + 1], inputs, width, probabilities);
  const float most = *std::max_element(probabilities.begin(), probabilities.end());
  const double score = probabilities[static_cast<std::size_t>(label)] - most;
  double total = 0;
  for (auto& p : probabilities) total += p = std::exp(p - most);
  for (auto& p : probabilities) p /= static_cast<float>(total);
  return std::log(total) - score;
}

void DigitsProblem::backward(const Layers& parameters, const float* picture,
                             const std::vector<float>& units, const std::vector<float>& errors,
                             std::vector<float>& hidden_errors, Layers& gradient) const {
  const bool deep = settings_.hidden > 0;
  const float* inputs = deep ? units.data() : picture;
  const std::size_t width = deep ? settings_.hidden : kPixels;
  const std::size_t at = deep ? 2 : 0;
  outer(errors, inputs, width, gradient[at], gradient[at + 1]);
  if (!deep) return;
  hidden_errors.assign(width, 0.0f);
  for (std::size_t h = 0; h < width; ++h) {
    for (std::size_t c = 0; c < kClasses; ++c) {
      hidden_errors[h] += errors[c] * parameters[2][h * kClasses + c];
    }
    hidden_errors[h] *= 1 - units[h] * units[h];
  }
  outer(hidden_errors, picture, kPixels, gradient[0], gradient[1]);
}

double DigitsProblem::loss_and_gradient(const Layers& parameters, std::uint64_t seed,
                                        std::uint64_t step, std::size_t batch,
                                        Layers& gradient) const {
  for (auto& layer : gradient) std::fill(layer.begin(), layer.end(), 0.0f);
  RandomStream random(engine::scramble(seed) + settings_.seed, step);
  std::vector<float> units, errors, hidden_errors;
  const float share = 1 / static_cast<float>(batch);
  double loss = 0;
  for (std::size_t i = 0; i < batch; ++i) {
    const std::size_t n = random.below(settings_.train);
    const float* picture = train_.pixels.data() + n * kPixels;
    loss += forward(parameters, picture, train_.labels[n], units, errors);
    errors[static_cast<std::size_t>(train_.labels[n])] -= 1;
    for (auto& e : errors) e *= share;
    backward(parameters, picture, units, errors, hidden_errors, gradient);
  }
  return loss / static_cast<double>(batch);
}

double DigitsProblem::test_loss(const Layers& parameters) const {
  std::vector<float> units, probabilities;
  double loss = 0;
  for (std::size_t i = 0; i < settings_.test; ++i) {
    loss += forward(parameters, test_.pixels.data() + i * kPixels, test_.labels[i], units,
                    probabilities);
  }
  return loss / static_cast<double>(settings_.test);
}

double DigitsProblem::test_accuracy(const Layers& parameters) const {
  std::vector<float> units, probabilities;
  std::size_t right = 0;
  for (std::size_t i = 0; i < settings_.test; ++i) {
    forward(parameters, test_.pixels.data() + i * kPixels, test_.labels[i], units, probabilities);
    const auto best = std::max_element(probabilities.begin(), probabilities.end());
    if (best - probabilities.begin() == test_.labels[i]) ++right;
  }
  return static_cast<double>(right) / static_cast<double>(settings_.test);
}

}  // namespace betatune::distributed::asynchronous
