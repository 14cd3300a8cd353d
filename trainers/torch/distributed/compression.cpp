#include "trainers/torch/distributed/compression.hpp"

#include <ATen/ATen.h>
#include <array>
#include <map>

namespace betatune::distributed {
namespace {

constexpr std::array<std::pair<CompressionKind, const char*>, 4> kNames{
    {{CompressionKind::none, "none"},
     {CompressionKind::fp16, "fp16"},
     {CompressionKind::bf16, "bf16"},
     {CompressionKind::powersgd, "powersgd"}}};

class Plain final : public Compressor {
 public:
  explicit Plain(Communicator& communicator) : communicator_(communicator) {}
  Communicator::Handle start(const CompressionBucket& bucket, std::int64_t) override {
    return communicator_.start_all_reduce(bucket.flat, Reduction::sum);
  }
  void finish(const CompressionBucket&, Work& work, std::int64_t) override { work.wait(); }

 private:
  Communicator& communicator_;
};

class TwoBytes final : public Compressor {
 public:
  TwoBytes(Communicator& communicator, at::ScalarType type)
      : communicator_(communicator), type_(type) {}
  Communicator::Handle start(const CompressionBucket& bucket, std::int64_t) override {
    at::Tensor& small = small_[bucket.flat.data_ptr()];
    small = bucket.flat.to(type_);
    return communicator_.start_all_reduce(small, Reduction::sum);
  }
  void finish(const CompressionBucket& bucket, Work& work, std::int64_t) override {
    work.wait();
    const auto small = small_.find(bucket.flat.data_ptr());
    bucket.flat.copy_(small->second);
    small_.erase(small);
  }

 private:
  Communicator& communicator_;
  at::ScalarType type_;
  std::map<const void*, at::Tensor> small_;  ///< on their way
};

/// Columns made orthonormal by the modified Gram-Schmidt process: the same operations on the same
/// numbers on every rank. A column that depends on those before (a gradient of lower rank) would be
/// made of rounding errors; it becomes zero.
at::Tensor orthonormal(const at::Tensor& matrix) {
  constexpr double kDependent = 1e-5;  // float has 1e-7
  auto columns = matrix.to(at::kDouble);
  for (std::int64_t i = 0; i < columns.size(1); ++i) {
    const auto column = columns.select(1, i);
    const double before = column.norm().item<double>();
    for (std::int64_t j = 0; j < i; ++j) {
      const auto other = columns.select(1, j);
      column.sub_(other * other.dot(column));
    }
    const double norm = column.norm().item<double>();
    column.mul_(norm > kDependent * before ? 1 / norm : 0.0);
  }
  return columns.to(matrix.scalar_type());
}

/// Vogels et al. 2019, arXiv:1905.13727: algorithm 1 with error feedback (algorithm 2). A gradient
/// M (rows x columns; all dimensions but the first are columns) goes as P = M Q and Q = M^T P of
/// `rank` columns each; Q starts from that of the step before. What P Q^T leaves out of M is added
/// to M the next time. Vectors, and matrices that would not get smaller, go as they are.
class PowerSgd final : public Compressor {
 public:
  PowerSgd(Communicator& communicator, const CompressionOptions& options)
      : communicator_(communicator), options_(options) {}

  Communicator::Handle start(const CompressionBucket& bucket, std::int64_t step) override {
    if (step < options_.start) return communicator_.start_all_reduce(bucket.flat, Reduction::sum);
    std::vector<at::Tensor> parts{bucket.tail};
    for (const auto& [name, gradient] : bucket.gradients) {
      if (!compressed(gradient)) {
        parts.push_back(memory_of(gradient));
        continue;
      }
      Matrix& m = matrix(name, gradient);
      const auto rows = as_matrix(gradient);
      rows.add_(m.error);
      m.error.copy_(rows);
      parts.push_back(rows.matmul(m.q).view(-1));
    }
    at::Tensor& message = messages_[bucket.flat.data_ptr()];
    message = at::cat(parts);
    return communicator_.start_all_reduce(message, Reduction::sum);
  }

  void finish(const CompressionBucket& bucket, Work& work, std::int64_t step) override {
    work.wait();
    if (step < options_.start) return;
    const auto found = messages_.find(bucket.flat.data_ptr());
    const at::Tensor message = std::move(found->second);
    messages_.erase(found);
    std::int64_t at = 0;
    take(message, at, bucket.tail);
    std::vector<at::Tensor> ps, qs;
    for (const auto& [name, gradient] : bucket.gradients) {
      if (!compressed(gradient)) {
        take(message, at, memory_of(gradient));
        continue;
      }
      const Matrix& m = matrix(name, gradient);
      auto p = at::empty({m.error.size(0), options_.rank}, gradient.options());
      take(message, at, p.view(-1));
      ps.push_back(orthonormal(p));
      qs.push_back(m.error.t().matmul(ps.back()).reshape(-1));
    }
    if (ps.empty()) return;
    const auto sums = at::cat(qs);
    communicator_.all_reduce(sums, Reduction::sum);
    decompress(bucket, ps, sums);
  }

  std::vector<std::pair<std::string, at::Tensor>> state() override {
    std::vector<std::pair<std::string, at::Tensor>> state;
    for (const auto& [name, m] : matrices_) {
      state.emplace_back(name + ".error", m.error);
      state.emplace_back(name + ".q", m.q);
    }
    return state;
  }
  void set_state(const std::vector<std::pair<std::string, at::Tensor>>& state) override {
    matrices_.clear();
    for (std::size_t i = 0; i + 1 < state.size(); i += 2) {
      const std::string& name = state[i].first;  // ends in ".error", and ".q" follows
      matrices_[name.substr(0, name.rfind('.'))] = {state[i].second, state[i + 1].second};
    }
  }

 private:
  struct Matrix {
    at::Tensor error;  ///< what this rank's part of the sum did not get through, rows x columns
    at::Tensor q;      ///< columns x rank, the same on all ranks
  };

  static at::Tensor memory_of(const at::Tensor& gradient) {
    return gradient.as_strided({gradient.numel()}, {1}, gradient.storage_offset());
  }
  /// In the order of the memory, whatever the layout: only who is a row and who a column matters.
  static at::Tensor as_matrix(const at::Tensor& gradient) {
    return memory_of(gradient).view({gradient.size(0), -1});
  }
  bool compressed(const at::Tensor& gradient) const {
    if (gradient.dim() < 2 || gradient.size(0) == 0) return false;
    const std::int64_t rows = gradient.size(0), columns = gradient.numel() / rows;
    return options_.rank * (rows + columns) < gradient.numel();
  }
  static void take(const at::Tensor& message, std::int64_t& at, const at::Tensor& to) {
    to.copy_(message.narrow(0, at, to.numel()));
    at += to.numel();
  }

  Matrix& matrix(const std::string& name, const at::Tensor& gradient) {
    Matrix& m = matrices_[name];
    if (m.q.defined()) return m;
    const auto rows = as_matrix(gradient);
    m.error = at::zeros_like(rows);
    // Any full-rank start will do, if it is the same on all ranks.
    const auto grid =
        at::arange(rows.size(1) * options_.rank, gradient.options().dtype(at::kDouble));
    m.q = (grid * 12.9898 + 1).sin().mul(43758.5453).frac().to(gradient.scalar_type());
    m.q = m.q.view({rows.size(1), options_.rank}).contiguous();
    return m;
  }

  void decompress(const CompressionBucket& bucket, const std::vector<at::Tensor>& ps,
                  const at::Tensor& sums) {
    std::int64_t at = 0;
    std::size_t next = 0;
    for (const auto& [name, gradient] : bucket.gradients) {
      if (!compressed(gradient)) continue;
      Matrix& m = matrix(name, gradient);
      const at::Tensor& p = ps[next++];
      auto q = at::empty_like(m.q);
      take(sums, at, q.view(-1));
      auto sum = as_matrix(gradient);
      at::matmul_out(sum, p, q.t());
      // A column that was zero this time keeps where it looked, to look there again.
      m.q = at::where(p.any(0, /*keepdim=*/true), q, m.q);
      m.error.sub_(sum, 1.0 / communicator_.size());
    }
  }

  Communicator& communicator_;
  CompressionOptions options_;
  std::map<std::string, Matrix> matrices_;
  std::map<const void*, at::Tensor> messages_;  ///< on their way
};

}  // namespace

CompressionKind compression_named(const std::string& name) {
  std::string known;
  for (const auto& [kind, text] : kNames) {
    if (name == text) return kind;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw plugin::Failure(BETATUNE_ERROR,
                        "there is no gradient compression \"" + name + "\"; there are " + known);
}

std::string name_of(CompressionKind kind) {
  return kNames.at(static_cast<std::size_t>(kind)).second;
}

std::unique_ptr<Compressor> make_compressor(Communicator& communicator,
                                            const CompressionOptions& options) {
  switch (options.kind) {
    case CompressionKind::fp16:
      return std::make_unique<TwoBytes>(communicator, at::kHalf);
    case CompressionKind::bf16:
      return std::make_unique<TwoBytes>(communicator, at::kBFloat16);
    case CompressionKind::powersgd:
      return std::make_unique<PowerSgd>(communicator, options);
    case CompressionKind::none:
      break;
  }
  return std::make_unique<Plain>(communicator);
}

}  // namespace betatune::distributed
