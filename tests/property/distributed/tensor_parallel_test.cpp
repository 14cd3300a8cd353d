/// Layers split over ranks must be what one process computes with the whole ones.

#include <cmath>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/doubles_as_bytes.hpp"
#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/model_parallel/layers.hpp"
#include "trainers/torch/distributed/model_parallel/regions.hpp"

namespace betatune::distributed {
namespace tensor_parallel {
namespace {

using support::difference;
using support::RankResult;
using support::run_ranks;
using Forward = std::function<at::Tensor(const at::Tensor&)>;

/// Outputs are of order 1, and floats: some ulps. Doubles show that it is rounding alone.
constexpr double kFloat = 1e-6, kDouble = 1e-12;

/// Sizes that 4 ranks can share, drawn from a seed.
struct Shape {
  std::int64_t samples, places, units, heads, hidden;
  bool causal;
  explicit Shape(std::uint64_t seed) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    const auto draw = [&](std::int64_t low, std::int64_t high) {
      return torch::randint(low, high + 1, {1}, generator).item<std::int64_t>();
    };
    samples = draw(1, 5);
    places = draw(1, 7);
    heads = 4 * draw(1, 2);
    units = heads * draw(1, 6);
    hidden = 4 * draw(1, 20);
    causal = draw(0, 1) == 1;
  }
};

/// A model on the ranks of a communicator, or in one process with libtorch's own layers.
struct Model {
  std::shared_ptr<torch::nn::Module> module;
  Forward forward;
};
using MakeModel = std::function<Model(Communicator*, const Shape&)>;

/// Registered one after another under their names.
template <class... Layers>
std::shared_ptr<torch::nn::Module> holding(std::pair<const char*, Layers>... layers) {
  struct Holder : torch::nn::Module {
    using torch::nn::Module::register_module;
  };
  auto holder = std::make_shared<Holder>();
  (holder->register_module(layers.first, layers.second), ...);
  return holder;
}

Model linear_pair(Communicator* c, const Shape& s, bool whole_between) {
  if (c == nullptr) {
    torch::nn::Linear a(s.units, s.hidden), b(s.hidden, s.units);
    return {holding(std::pair{"a", a.ptr()}, std::pair{"b", b.ptr()}),
            [a, b](const at::Tensor& x) mutable { return b(torch::tanh(a(x))); }};
  }
  ColumnParallelOptions column;
  RowParallelOptions row;
  column.whole_output = row.whole_input = whole_between;
  auto a = std::make_shared<ColumnParallelLinear>(*c, s.units, s.hidden, column);
  auto b = std::make_shared<RowParallelLinear>(*c, s.hidden, s.units, row);
  return {holding(std::pair{"a", a}, std::pair{"b", b}),
          [a, b](const at::Tensor& x) { return b->forward(torch::tanh(a->forward(x))); }};
}

Model mlp(Communicator* c, const Shape& s) {
  if (c == nullptr) {
    torch::nn::Linear up(s.units, s.hidden), down(s.hidden, s.units);
    return {holding(std::pair{"up", up.ptr()}, std::pair{"down", down.ptr()}),
            [up, down](const at::Tensor& x) mutable { return down(torch::gelu(up(x))); }};
  }
  auto block = std::make_shared<ParallelMlp>(*c, s.units, s.hidden);
  return {block, [block](const at::Tensor& x) { return block->forward(x); }};
}

/// Whole: libtorch's own attention, which wants places first.
Model attention(Communicator* c, const Shape& s) {
  if (c != nullptr) {
    auto block = std::make_shared<ParallelSelfAttention>(*c, s.units, s.heads, s.causal);
    return {block, [block](const at::Tensor& x) { return block->forward(x); }};
  }
  torch::nn::Linear in(s.units, 3 * s.units), out(s.units, s.units);
  return {holding(std::pair{"in", in.ptr()}, std::pair{"out", out.ptr()}),
          [in, out, s](const at::Tensor& x) {
            namespace F = torch::nn::functional;
            auto options = F::MultiheadAttentionForwardFuncOptions(
                s.units, s.heads, in->weight, in->bias, {}, {}, false, 0.0, out->weight, out->bias);
            options.need_weights(false);
            if (s.causal) {
              options.attn_mask(torch::full({s.places, s.places}, -INFINITY, x.options()).triu(1));
            }
            const auto t = x.transpose(0, 1);
            return std::get<0>(F::multi_head_attention_forward(t, t, t, options)).transpose(0, 1);
          }};
}

void append(std::string& bytes, const at::Tensor& tensor) {
  const auto t = tensor.detach().to(at::kDouble).contiguous();
  bytes.append(static_cast<const char*>(t.data_ptr()), t.nbytes());
}

NamedTensors gradients_of(Communicator* c, const torch::nn::Module& module) {
  if (c != nullptr) return whole_gradients(*c, module);
  NamedTensors all;
  for (const auto& p : module.named_parameters()) all.emplace_back(p.key(), p.value().grad());
  return all;
}
NamedTensors parameters_of(Communicator* c, const torch::nn::Module& module) {
  if (c != nullptr) return whole_parameters(*c, module);
  NamedTensors all;
  for (const auto& p : module.named_parameters()) all.emplace_back(p.key(), p.value().detach());
  return all;
}

struct Comparison {
  MakeModel make;
  at::ScalarType type = at::kFloat;
  std::vector<std::uint64_t> seeds{1, 2, 3, 4, 5, 6};
  int steps = 0;  ///< of an optimizer before the gradients are looked at
  Backend backend = Backend::shared_memory;
  bool second_order = false;  ///< the loss has the input's gradient in it
};

/// Outputs, input gradients, weights and weight gradients of all seeds, as doubles.
std::string numbers(const Comparison& run, Communicator* c) {
  at::set_num_threads(1);
  std::string bytes;
  for (const std::uint64_t seed : run.seeds) {
    const Shape shape(seed);
    torch::manual_seed(seed);
    Model model = run.make(c, shape);
    model.module->to(run.type);
    // Both draw the same, so the generators are in step.
    const std::vector<std::int64_t> sizes{shape.samples, shape.places, shape.units};
    const auto target = torch::randn(sizes).to(run.type);
    auto x = torch::randn(sizes).to(run.type).requires_grad_(true);
    torch::optim::SGD optimizer(model.module->parameters(),
                                torch::optim::SGDOptions(0.1).momentum(0.9));
    at::Tensor y;
    for (int step = 0; step <= run.steps; ++step) {
      optimizer.zero_grad();
      x.mutable_grad().reset();
      y = model.forward(x);
      auto loss = torch::mse_loss(y, target);
      if (run.second_order) {
        loss = torch::autograd::grad({loss}, {x}, {}, true, true)[0].square().sum();
      }
      loss.backward();
      if (step < run.steps) optimizer.step();
    }
    append(bytes, y);
    append(bytes, x.grad());
    for (const auto& [name, t] : parameters_of(c, *model.module)) append(bytes, t);
    for (const auto& [name, t] : gradients_of(c, *model.module)) append(bytes, t);
  }
  return bytes;
}

void expect_equal_to_one_process(const Comparison& run, double tolerance) {
  const auto whole = run_ranks(1, [&](const World&) { return numbers(run, nullptr); });
  ASSERT_TRUE(whole[0].returned()) << whole[0].text;
  for (const int size : {1, 2, 4}) {
    SCOPED_TRACE(std::to_string(size) + " rank(s)");
    const auto ranks = run_ranks(size, [&](const World& world) {
      const auto c = make_communicator(size == 1 ? Backend::automatic : run.backend, world);
      return numbers(run, c.get());
    });
    for (const auto& rank : ranks) {
      ASSERT_TRUE(rank.returned()) << rank.text;
      EXPECT_TRUE(rank.text == ranks[0].text) << "ranks differ";
      EXPECT_LE(difference(rank.text, whole[0].text), tolerance);
    }
  }
}

void expect_equal_in_both_types(Comparison run) {
  expect_equal_to_one_process(run, kFloat);
  run.type = at::kDouble;
  expect_equal_to_one_process(run, kDouble);
}

TEST(TensorParallel, ColumnThenRowSplitLinearLayersEqualOneProcess) {
  Comparison run;
  run.make = [](auto* c, auto& s) { return linear_pair(c, s, /*whole_between=*/false); };
  expect_equal_in_both_types(run);
}

TEST(TensorParallel, LayersThatGatherAndScatterEqualOneProcess) {
  Comparison run;
  run.make = [](auto* c, auto& s) { return linear_pair(c, s, /*whole_between=*/true); };
  expect_equal_in_both_types(run);
}

TEST(TensorParallel, MlpEqualsOneProcess) {
  Comparison run;
  run.make = mlp;
  expect_equal_in_both_types(run);
}

TEST(TensorParallel, SelfAttentionEqualsThatOfLibtorch) {
  Comparison run;
  run.make = attention;
  expect_equal_in_both_types(run);
}

TEST(TensorParallel, TrainingStaysEqual) {
  Comparison run;
  run.seeds = {1, 2};
  run.steps = 10;
  for (const MakeModel& make : {MakeModel(mlp), MakeModel(attention)}) {
    run.make = make;
    expect_equal_in_both_types(run);
  }
}

TEST(TensorParallel, EqualsOneProcessOverGloo) {
  if (!has_backend(Backend::gloo)) GTEST_SKIP() << "gloo is not in this build";
  Comparison run;
  run.backend = Backend::gloo;
  run.seeds = {1, 2};
  run.make = attention;
  expect_equal_in_both_types(run);
}

TEST(TensorParallel, SecondDerivativesEqualThoseOfOneProcess) {
  Comparison run;
  run.second_order = true;
  run.type = at::kDouble;
  for (const bool whole : {false, true}) {
    run.make = [whole](auto* c, auto& s) { return linear_pair(c, s, whole); };
    expect_equal_to_one_process(run, kDouble);
  }
}

TEST(TensorParallel, TheComparisonFindsAForgottenSumOfGradients) {
  // f left out: outputs are right, the input's gradient is that of one rank's part.
  Comparison run;
  run.make = [](Communicator* c, const Shape& s) -> Model {
    Model whole = linear_pair(nullptr, s, false);
    if (c == nullptr) return whole;
    const auto weights = whole.module->parameters();
    return {whole.module, [c, weights](const at::Tensor& x) {
              const auto up = own_part(*c, weights[0].t(), 1), bias = own_part(*c, weights[1], 0);
              const auto h = torch::tanh(torch::matmul(x, up) + bias);
              const auto down = own_part(*c, weights[2], 1);
              return sum_over_ranks(*c, torch::matmul(h, down.t())) + weights[3];
            }};
  };
  const auto gradient_error = [&](int size) {
    const auto ranks = run_ranks(size, [&](const World& world) {
      const auto c = make_communicator(Backend::automatic, world);
      return numbers(run, c.get());
    });
    const auto whole = run_ranks(1, [&](const World&) { return numbers(run, nullptr); });
    return difference(ranks[0].text, whole[0].text);
  };
  EXPECT_LE(gradient_error(1), kFloat);
  EXPECT_GT(gradient_error(2), 100 * kFloat);
}

// ---- weights that go elsewhere ------------------------------------------------------------------

TEST(TensorParallel, WholeWeightsFitAnyNumberOfRanksAndAnErrorNamesTheParameter) {
  for (const int size : {1, 2, 4}) {
    const auto results = run_ranks(size, [](const World& world) -> std::string {
      at::set_num_threads(1);
      const auto c = make_communicator(Backend::automatic, world);
      torch::manual_seed(7);
      const ParallelSelfAttention first(*c, 24, 4);
      ParallelSelfAttention second(*c, 24, 4);
      NamedTensors saved = whole_parameters(*c, first);
      load_whole_parameters(*c, second, saved);
      const NamedTensors again = whole_parameters(*c, second);
      for (std::size_t i = 0; i < saved.size(); ++i) {
        if (saved[i].first != again[i].first || !saved[i].second.equal(again[i].second)) {
          return saved[i].first + " differs";
        }
      }
      saved[0].second = torch::zeros({5, 24});
      try {
        load_whole_parameters(*c, second, saved);
      } catch (const plugin::Failure& e) {
        return e.what();
      }
      return "taken";
    });
    for (const auto& rank : results) {
      EXPECT_EQ(rank.text,
                "the weights do not fit the model: parameter `in.weight` is [5, 24], the model's "
                "[72, 24]");
    }
  }
}

// ---- wrong input --------------------------------------------------------------------------------

void expect_error(int size, const std::function<void(Communicator&)>& body,
                  const std::string& text) {
  const auto results = run_ranks(size, [&](const World& world) -> std::string {
    at::set_num_threads(1);
    const auto c = make_communicator(Backend::automatic, world);
    body(*c);
    return "no error";
  });
  for (const auto& rank : results) {
    EXPECT_EQ(rank.failure_class, BETATUNE_ERROR);
    EXPECT_NE(rank.text.find(text), std::string::npos) << rank.text;
  }
}

TEST(TensorParallel, SaysWhichSizeTheRanksCannotShare) {
  expect_error(
      2, [](auto& c) { ColumnParallelLinear(c, 4, 7); },
      "ColumnParallelLinear(4 -> 7): 7 outputs cannot be shared equally by 2 ranks; take a "
      "multiple of 2");
  expect_error(
      2, [](auto& c) { RowParallelLinear(c, 5, 4); },
      "RowParallelLinear(5 -> 4): 5 inputs cannot be shared equally by 2 ranks");
  expect_error(
      4, [](auto& c) { ParallelMlp(c, 8, 10); }, "10 outputs cannot be shared equally by 4 ranks");
  expect_error(
      4, [](auto& c) { ParallelSelfAttention(c, 12, 6); },
      "6 heads cannot be shared equally by 4 ranks");
  expect_error(
      2, [](auto& c) { ParallelSelfAttention(c, 13, 2); },
      "the units must be a multiple of the heads");
  expect_error(
      2,
      [](auto& c) {
        (void)own_part(c, torch::ones({3, 5}), -1);
      },
      "dimension 1 has 5 elements, which 2 ranks cannot share equally");
  expect_error(
      2,
      [](auto& c) {
        (void)whole_of_parts(c, torch::ones({3, 5}), 2);
      },
      "along dimension 2 of a tensor with 2");
}

TEST(TensorParallel, SaysThatRanksWereSeededDifferently) {
  expect_error(
      2,
      [](Communicator& c) {
        torch::manual_seed(static_cast<std::uint64_t>(c.rank()));
        ParallelMlp(c, 8, 16);
      },
      "ColumnParallelLinear(8 -> 16) (seed the ranks that share it equally): line 1 on rank 1");
}

}  // namespace
}  // namespace tensor_parallel
}  // namespace betatune::distributed
