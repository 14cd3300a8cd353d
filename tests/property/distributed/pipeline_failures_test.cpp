/// What a pipeline does when a stage dies, stops or fails, or its input is wrong.

#include <csignal>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/pipeline_training.hpp"

namespace betatune::distributed {
namespace pipeline_failures {
namespace {

using namespace support::pipelines;
using support::RankOptions;
using support::RankResult;
using support::run_ranks;

TEST(PipelineFailures, EndsOnAllRanksAndNamesAStageThatDied) {
  Training t;
  t.grid.stages = 4;
  t.steps = 100;
  t.before_forward = [](const Place& place, int call) {
    if (place.stage == 2 && call == 30) raise(SIGKILL);
  };
  const auto ranks = train_gang(t);
  EXPECT_EQ(ranks[2].kind, RankResult::Kind::died);
  for (const std::size_t rank : {0u, 1u, 3u}) {
    EXPECT_EQ(ranks[rank].kind, RankResult::Kind::threw);
    EXPECT_EQ(ranks[rank].failure_class, BETATUNE_INFRA) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("rank 2 (process"), std::string::npos) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("has died"), std::string::npos) << ranks[rank].text;
  }
}

TEST(PipelineFailures, EndsTheOtherPipelinesTooAndSaysWhichRankOfTheGangItWas) {
  Training t;
  t.grid = {2, 2, 1};
  t.steps = 100;
  t.before_forward = [](const Place& place, int call) {
    if (place == Place{1, 1, 0} && call == 30) raise(SIGKILL);
  };
  const auto ranks = train_gang(t);
  EXPECT_EQ(ranks[3].kind, RankResult::Kind::died);
  for (const std::size_t rank : {0u, 1u, 2u}) {
    EXPECT_EQ(ranks[rank].kind, RankResult::Kind::threw);
    EXPECT_EQ(ranks[rank].failure_class, BETATUNE_INFRA) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("rank 1 (process"), std::string::npos) << ranks[rank].text;
  }
  // Rank 1 of the pipeline is rank 2 + 1 * 1 of the gang; of the copies of stage 1: 1 + 2 * 1.
  const bool as_stage =
      ranks[2].text.find("stage k: rank 2 + 1 * k of the gang") != std::string::npos;
  const bool as_pipeline =
      ranks[2].text.find("pipeline k: rank 1 + 2 * k of the gang") != std::string::npos;
  EXPECT_TRUE(as_stage || as_pipeline) << ranks[2].text;
}

TEST(PipelineFailures, EndsAtTheTimeoutIfAStageIsStopped) {
  Training t;
  t.grid.stages = 4;
  t.steps = 100;
  t.before_forward = [](const Place& place, int call) {
    if (place.stage == 2 && call == 30) raise(SIGSTOP);
  };
  RankOptions options;
  options.timeout = std::chrono::milliseconds(1500);
  options.stuck = {2};
  const auto ranks = train_gang(t, options);
  for (const std::size_t rank : {0u, 1u, 3u}) {
    EXPECT_EQ(ranks[rank].kind, RankResult::Kind::threw);
    EXPECT_EQ(ranks[rank].failure_class, BETATUNE_INFRA) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("did not"), std::string::npos) << ranks[rank].text;
  }
}

TEST(PipelineFailures, TellsAllRanksWhatOneOfThemFailedWith) {
  Training t;
  t.grid = {2, 2, 1};
  t.steps = 3;
  t.before_forward = [](const Place& place, int call) {
    if (place == Place{0, 1, 0} && call == 5) throw std::runtime_error("the disk is full");
  };
  for (const auto& rank : train_gang(t)) {
    EXPECT_EQ(rank.kind, RankResult::Kind::threw);
    EXPECT_NE(rank.text.find("the disk is full"), std::string::npos) << rank.text;
  }
}

TEST(PipelineFailures, EndsAsDivergedOnAllRanksAndNamesStageAndParameter) {
  for (const Grid grid : {Grid{1, 2, 1}, Grid{2, 2, 1}}) {
    const auto ranks = run_ranks(grid.size(), [&](const World& world) -> std::string {
      at::set_num_threads(1);
      Training t;
      t.grid = grid;
      const Place place = place_of(grid, world);
      PipelineStage stage = stage_of(t, place, make_blocks(t, nullptr));
      if (place.stage == 1) {
        stage.loss = [](const at::Tensor& y, const at::Tensor&) { return (y * INFINITY).mean(); };
      }
      PipelineOptions options;
      options.micro_batches = 2;
      Pipeline pipeline(world, grid, stage, options);
      pipeline.train_step(nullptr, batch_of(t, place, make_data(t, 0, false)));
      return "trained";
    });
    for (const auto& rank : ranks) {
      EXPECT_EQ(rank.failure_class, BETATUNE_DIVERGED) << rank.text;
      EXPECT_NE(rank.text.find("stage 1: "), std::string::npos) << rank.text;
      EXPECT_NE(rank.text.find("parameter `"), std::string::npos) << rank.text;
    }
  }
}

void expect_error(const std::function<void(Training&, PipelineStage&, PipelineOptions&,
                                           PipelineBatch&, const Place&)>& spoil,
                  const std::string& text) {
  const auto ranks = run_ranks(2, [&](const World& world) -> std::string {
    at::set_num_threads(1);
    Training t;
    t.grid.stages = 2;
    const Place place = place_of(t.grid, world);
    PipelineStage stage = stage_of(t, place, make_blocks(t, nullptr));
    PipelineBatch batch = batch_of(t, place, make_data(t, 0, false));
    PipelineOptions options;
    options.micro_batches = 4;
    spoil(t, stage, options, batch, place);
    Pipeline pipeline(world, t.grid, stage, options);
    pipeline.train_step(nullptr, batch);
    return "trained";
  });
  for (const auto& rank : ranks) {
    EXPECT_EQ(rank.kind, RankResult::Kind::threw);
    EXPECT_NE(rank.text.find(text), std::string::npos) << rank.text;
  }
}

TEST(PipelineFailures, SaysWhatIsWrongWithItsInput) {
  expect_error([](auto&, auto&, auto&, auto& batch, auto&) { batch.samples = 3; },
               "a batch of 3 samples cannot be cut into 4 micro-batches");
  expect_error([](auto&, auto&, auto&, auto& batch, auto&) { batch.targets.reset(); },
               "a pipeline's batch of 24 samples has no targets");
  expect_error([](auto&, auto&, auto&, auto& batch, auto&) { batch.samples = 23; },
               "a pipeline's batch of 23 samples has 24 inputs");
  expect_error([](auto&, auto& stage, auto&, auto&, auto&) { stage.loss = {}; },
               "stage 1 of 2 is the last and has no loss function");
  expect_error([](auto&, auto&, auto& options, auto&,
                  const Place& place) { options.micro_batches = 2 + place.stage; },
               "pipeline setting 2 on rank 1 is `micro-batches 3`, on rank 0 `micro-batches 2`");
  expect_error([](auto&, auto&, auto& options, auto&, auto&) { options.micro_batches = 0; },
               "a pipeline with 0 micro-batches: it needs at least one");
  expect_error([](auto& t, auto&, auto&, auto&, auto&) { t.grid.data = 2; },
               "has 4 places, but the gang has 2 rank(s)");
}

TEST(PipelineFailures, RefusesToClipWhereStagesAreSplit) {
  PipelineOptions options;
  options.max_gradient_norm = 1;
  World world;
  world.size = 2;
  world.rendezvous = "file:///nowhere";
  try {
    Pipeline(world, {1, 1, 2}, {}, options);
    FAIL() << "made";
  } catch (const plugin::Failure& e) {
    EXPECT_NE(std::string(e.what()).find("set it to 0"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace pipeline_failures
}  // namespace betatune::distributed
