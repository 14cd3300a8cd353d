// The loop with several ranks, which are threads here, and with a task that classifies nothing.

#include "trainers/torch/engine/engine.hpp"

#include <cmath>
#include <condition_variable>
#include <future>
#include <gtest/gtest.h>
#include <mutex>
#include <torch/torch.h>
#include <vector>

#include "tests/support/temporary_directory.hpp"
#include "trainers/torch/distributed/strategy.hpp"
#include "trainers/torch/engine/task.hpp"
#include "trainers/torch/higgs/events.hpp"
#include "trainers/torch/higgs/network.hpp"
#include "trainers/torch/sequences/network.hpp"
#include "trainers/torch/sequences/particles.hpp"
#include "trainers/trainer.hpp"

namespace betatune::engine {
namespace {

/// Where the threads of a gang meet; one that waits longer than a minute gives up.
class Meeting {
 public:
  explicit Meeting(int size) : slots_(static_cast<std::size_t>(size)) {}

  /// Every rank's numbers, added in the order of ranks.
  torch::Tensor sum(int rank, const torch::Tensor& mine) {
    slots_[static_cast<std::size_t>(rank)] = mine.clone();
    wait();
    torch::Tensor total = slots_[0].clone();
    for (std::size_t i = 1; i < slots_.size(); ++i) total.add_(slots_[i]);
    wait();
    return total;
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    const int turn = turn_;
    if (++there_ == static_cast<int>(slots_.size())) {
      there_ = 0;
      ++turn_;
      arrived_.notify_all();
    } else if (!arrived_.wait_for(lock, std::chrono::minutes(1), [&] { return turn_ != turn; })) {
      throw plugin::Failure(BETATUNE_INFRA, "a rank did not come within a minute");
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  int there_ = 0, turn_ = 0;
  std::vector<torch::Tensor> slots_;
};

/// Adds the gradients up after backward(): the least that makes a gang.
class Threads final : public distributed::Strategy {
 public:
  Threads(std::shared_ptr<Meeting> meeting, int rank, int size)
      : meeting_(std::move(meeting)), rank_(rank), size_(size) {}

  void attach(const distributed::Replica& replica) override {
    for (const auto& [name, parameter] : replica.parameters) parameters_.push_back(parameter);
  }
  void backward(const at::Tensor& mean_loss, double share, bool last) override {
    EXPECT_TRUE(last);
    EXPECT_EQ(backwards_++, steps_);  // once a step, on a rank without a sample too
    shares_ += share;
    (mean_loss * share).backward();
  }
  distributed::StepResult step(torch::optim::Optimizer& optimizer) override {
    for (auto& parameter : parameters_) {
      const auto& grad = parameter.grad();
      const auto mine = grad.defined() ? grad : torch::zeros_like(parameter);
      parameter.mutable_grad() = meeting_->sum(rank_, mine);
    }
    optimizer.step();
    for (auto& parameter : parameters_) parameter.mutable_grad().reset();
    EXPECT_EQ(backwards_, ++steps_);
    return {};
  }
  void sum(std::vector<double>& values) override {
    const auto total = meeting_->sum(rank_, torch::tensor(values, torch::kDouble));
    std::copy_n(total.data_ptr<double>(), values.size(), values.begin());
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string description() const override { return "threads"; }
  double shares() const { return shares_; }
  int steps() const { return steps_; }

 private:
  std::shared_ptr<Meeting> meeting_;
  int rank_, size_;
  std::vector<at::Tensor> parameters_;
  double shares_ = 0;
  int steps_ = 0, backwards_ = 0;
};

struct Outcome {
  std::vector<double> losses;  ///< training, validation, of each epoch
  Score score;
  double shares = 0;
  int steps = 0;
};

class EngineRanks : public ::testing::Test {
 protected:
  static constexpr int kEpochs = 3;

  static void SetUpTestSuite() {
    // 65 in batches of 16: the last batch has one sample. 1,700 are four batches to score.
    data_ = new collisions::Generated(higgs::make_events({65, 1'700, 10, 0}));
  }
  static void TearDownTestSuite() { delete data_; }

  static higgs::Settings settings(const std::string& more = "") {
    return higgs::read_settings(
        R"({"layers": 2, "hidden": 12, "batch_size": 16, "optimizer": "sgd", "lr": 0.05)" + more +
            "}",
        R"({"epochs": 3})");
  }

  /// One at a time: libtorch's generator, which weights are drawn from, is that of all threads.
  static std::unique_ptr<Engine> made(const higgs::Settings& s,
                                      const std::shared_ptr<Threads>& strategy) {
    static std::mutex drawing;
    const std::lock_guard lock(drawing);
    return std::make_unique<Engine>(s, higgs::event_task(s, *data_), 1, Machine{}, strategy);
  }

  static Outcome train(const higgs::Settings& s, const std::shared_ptr<Threads>& strategy,
                       const std::string& directory) {
    const auto engine_of_a_rank = made(s, strategy);
    Engine& engine = *engine_of_a_rank;
    Outcome outcome;
    for (int epoch = 1; epoch <= kEpochs; ++epoch) {
      const EpochResult result = engine.train_epoch(epoch);
      EXPECT_EQ(result.samples, 65);
      outcome.losses.push_back(result.loss);
      outcome.losses.push_back(engine.score(Part::validation).loss);
    }
    outcome.score = engine.score(Part::validation);
    engine.save(directory);
    if (strategy) outcome.shares = strategy->shares();
    if (strategy) outcome.steps = strategy->steps();
    return outcome;
  }

  std::vector<Outcome> train_gang(int size) {
    const auto meeting = std::make_shared<Meeting>(size);
    std::vector<std::future<Outcome>> ranks;
    for (int rank = 0; rank < size; ++rank) {
      ranks.push_back(std::async(std::launch::async, [=, this] {
        return train(settings(), std::make_shared<Threads>(meeting, rank, size), folder_.path());
      }));
    }
    std::vector<Outcome> outcomes;
    for (auto& rank : ranks) outcomes.push_back(rank.get());
    return outcomes;
  }

  static const collisions::Generated* data_;
  support::TemporaryDirectory folder_;
};
const collisions::Generated* EngineRanks::data_ = nullptr;

/// Single precision, in sums of another order, carried through 15 steps.
constexpr double kRounding = 2e-5;

TEST_F(EngineRanks, TrainTogetherWhatOneProcessTrainsAlone) {
  const support::TemporaryDirectory alone_folder;
  const Outcome alone = train(settings(), nullptr, alone_folder.path());
  for (const int size : {2, 3}) {
    SCOPED_TRACE(size);
    const auto gang = train_gang(size);
    double shares = 0;
    for (const Outcome& rank : gang) {
      EXPECT_EQ(rank.losses, gang[0].losses);
      EXPECT_EQ(rank.score.discriminants, gang[0].score.discriminants);
      EXPECT_EQ(rank.steps, 5 * kEpochs);
      shares += rank.shares;
    }
    // Each step's shares add up to one, whoever has no part of the last batch.
    EXPECT_NEAR(shares, 5 * kEpochs, 1e-9);
    for (std::size_t i = 0; i < alone.losses.size(); ++i) {
      EXPECT_NEAR(gang[0].losses[i], alone.losses[i], kRounding) << i;
    }
    ASSERT_EQ(gang[0].score.discriminants.size(), 1'700u);
    for (std::size_t i = 0; i < 1'700; ++i) {
      EXPECT_NEAR(gang[0].score.discriminants[i], alone.score.discriminants[i], 10 * kRounding);
    }
  }
}

TEST_F(EngineRanks, LeaveACheckpointForAnyNumberOfRanks) {
  const auto gang = train_gang(2);

  const auto s = settings();
  Engine alone(s, higgs::event_task(s, *data_), 1, Machine{});
  alone.load(folder_.path());

  const Score score = alone.score(Part::validation);
  EXPECT_EQ(score.discriminants, gang[0].score.discriminants);
  EXPECT_EQ(score.accuracy, gang[0].score.accuracy);
  EXPECT_NEAR(score.loss, gang[0].score.loss, 1e-12);  // batches are added in another order
}

TEST_F(EngineRanks, TrainTogetherInSixteenBitsToo) {
  const support::TemporaryDirectory alone_folder;
  const auto meeting = std::make_shared<Meeting>(2);
  const higgs::Settings half = settings(R"(, "precision": "bf16")");
  std::vector<std::future<Outcome>> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    ranks.push_back(std::async(std::launch::async, [&, rank] {
      return train(half, std::make_shared<Threads>(meeting, rank, 2), folder_.path());
    }));
  }
  const Outcome first = ranks[0].get(), second = ranks[1].get();
  const Outcome alone = train(half, nullptr, alone_folder.path());

  EXPECT_EQ(first.losses, second.losses);
  for (std::size_t i = 0; i < alone.losses.size(); ++i) {
    EXPECT_NEAR(first.losses[i], alone.losses[i], 0.01) << i;
  }
}

TEST(EngineTasks, AnLstmTrainsInSixteenBits) {
  const auto s = sequences::read_settings(R"({"precision": "bf16"})", R"({"epochs": 2})");
  const auto data = sequences::make_events({64, 32, 32, 0}, s.max_particles);
  Engine engine(s, sequences::event_task(s, data), 1, Machine{});

  EXPECT_TRUE(std::isfinite(engine.train_epoch(1).loss));
  EXPECT_TRUE(std::isfinite(engine.score(Part::test).loss));
}

/// y = 3 x by least squares, with a model that starts at 0: the smallest task there is.
class Slope final : public Task {
 public:
  struct Line : torch::nn::Module {
    torch::Tensor slope = register_parameter("slope", torch::zeros({1}));
  };

  std::shared_ptr<torch::nn::Module> make_model() override {
    return line_ = std::make_shared<Line>();
  }
  void move_to(const at::Device&) override {}
  bool classifies() const override { return false; }
  std::int64_t count(Part) const override { return 4; }
  at::Tensor loss(const at::Tensor& samples) override {
    return errors(x_.index_select(0, samples)).mean();
  }
  Judgement judge(Part, std::int64_t begin, std::int64_t end) override {
    return {errors(x_.slice(0, begin, end)).sum(), {}, {}};
  }
  double slope() const { return line_->slope.item<double>(); }

 private:
  at::Tensor errors(const at::Tensor& x) const { return (x * line_->slope - 3 * x).square(); }
  torch::Tensor x_ = torch::tensor({1.0F, 2.0F, 3.0F, 4.0F});
  std::shared_ptr<Line> line_;
};

Recipe one_step(double clip_norm) {
  Recipe recipe;
  recipe.optimizer.kind = OptimizerKind::sgd;
  recipe.optimizer.momentum = 0;
  recipe.optimizer.lr = 0.01;
  recipe.optimizer.clip_norm = clip_norm;
  recipe.schedule.kind = ScheduleKind::constant;
  return recipe;
}

TEST(EngineTasks, NeedNoClasses) {
  const auto task = std::make_shared<Slope>();
  Engine engine(one_step(0), task, 1, Machine{});

  // mean of 9 x^2 over 1, 2, 3, 4; its derivative is -6 mean(x^2) = -45
  EXPECT_DOUBLE_EQ(engine.train_epoch(1).loss, 67.5);
  EXPECT_NEAR(task->slope(), 0.45, 1e-6);
  const Score score = engine.score(Part::test);
  EXPECT_NEAR(score.loss, 2.55 * 2.55 * 7.5, 1e-4);
  EXPECT_TRUE(score.discriminants.empty());
  EXPECT_FALSE(engine.classifies());
}

TEST(EngineTasks, GradientsAreClippedToTheirNorm) {
  const auto clipped = std::make_shared<Slope>(), under = std::make_shared<Slope>();
  Engine(one_step(2), clipped, 1, Machine{}).train_epoch(1);
  Engine(one_step(100), under, 1, Machine{}).train_epoch(1);

  EXPECT_NEAR(clipped->slope(), 0.01 * 2, 1e-6);
  EXPECT_NEAR(under->slope(), 0.01 * 45, 1e-6);
}

}  // namespace
}  // namespace betatune::engine
