/// Pipelines' schedules and grids of ranks: pure functions.

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "trainers/torch/distributed/model_parallel/grid.hpp"
#include "trainers/torch/distributed/model_parallel/schedule.hpp"

namespace betatune::distributed {
namespace model_parallel_unit {
namespace {

using Kind = PipelineStep::Kind;
using Schedule = std::vector<PipelineStep>;

std::string text_of(const Schedule& schedule) {
  std::string text;
  for (const auto& step : schedule) {
    text += (step.kind == Kind::forward ? " F" : " B") + std::to_string(step.micro_batch + 1);
  }
  return text.empty() ? "" : text.substr(1);
}

std::vector<Schedule> all_stages(int stages, int micro_batches) {
  std::vector<Schedule> all;
  for (int s = 0; s < stages; ++s) {
    all.push_back(one_forward_one_backward(s, stages, micro_batches));
  }
  return all;
}

/// Runs the stages by what each step needs: its stage to be free, and the message of its neighbour.
/// returns  when the last step ends, in units of a forward pass; -1 if nobody can go on
int simulate(const std::vector<Schedule>& schedules, int forward_time, int backward_time) {
  const int stages = static_cast<int>(schedules.size());
  std::map<std::tuple<int, Kind, int>, int> ended;
  std::vector<std::size_t> at(schedules.size(), 0);
  std::vector<int> free(schedules.size(), 0);
  const auto run_one = [&](int s) {
    const auto index = static_cast<std::size_t>(s);
    if (at[index] == schedules[index].size()) return false;
    const PipelineStep step = schedules[index][at[index]];
    const bool is_forward = step.kind == Kind::forward;
    const int neighbour = is_forward ? s - 1 : s + 1;
    int begin = free[index];
    if (neighbour >= 0 && neighbour < stages) {
      const auto message = ended.find({neighbour, step.kind, step.micro_batch});
      if (message == ended.end()) return false;
      begin = std::max(begin, message->second);
    }
    if (!is_forward && ended.count({s, Kind::forward, step.micro_batch}) == 0) return false;
    free[index] = begin + (is_forward ? forward_time : backward_time);
    ended[{s, step.kind, step.micro_batch}] = free[index];
    ++at[index];
    return true;
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (int s = 0; s < stages; ++s) {
      while (run_one(s)) moved = true;
    }
  }
  for (std::size_t s = 0; s < schedules.size(); ++s) {
    if (at[s] != schedules[s].size()) return -1;
  }
  return *std::max_element(free.begin(), free.end());
}

TEST(PipelineSchedule, IsThatOfThePapersFigureFor4StagesAnd8MicroBatches) {
  const auto all = all_stages(4, 8);
  EXPECT_EQ(text_of(all[0]), "F1 F2 F3 F4 B1 F5 B2 F6 B3 F7 B4 F8 B5 B6 B7 B8");
  EXPECT_EQ(text_of(all[1]), "F1 F2 F3 B1 F4 B2 F5 B3 F6 B4 F7 B5 F8 B6 B7 B8");
  EXPECT_EQ(text_of(all[2]), "F1 F2 B1 F3 B2 F4 B3 F5 B4 F6 B5 F7 B6 F8 B7 B8");
  EXPECT_EQ(text_of(all[3]), "F1 B1 F2 B2 F3 B3 F4 B4 F5 B5 F6 B6 F7 B7 F8 B8");
  for (int s = 0; s < 4; ++s) EXPECT_EQ(warm_up_length(s, 4, 8), 3 - s);
}

TEST(PipelineSchedule, HasEachMicroBatchOnceEachWayInOrderAndForwardFirst) {
  for (int stages = 1; stages <= 9; ++stages) {
    for (int count = 1; count <= 20; ++count) {
      for (const Schedule& schedule : all_stages(stages, count)) {
        int forward = 0, backward = 0;
        for (const auto& step : schedule) {
          int& next = step.kind == Kind::forward ? forward : backward;
          EXPECT_EQ(step.micro_batch, next++);
          EXPECT_LE(backward, forward);
        }
        EXPECT_EQ(forward, count);
        EXPECT_EQ(backward, count);
      }
    }
  }
}

TEST(PipelineSchedule, KeepsActivationsOfAtMostStagesMinusStageMicroBatches) {
  for (int stages = 1; stages <= 9; ++stages) {
    for (int count = 1; count <= 20; ++count) {
      for (int s = 0; s < stages; ++s) {
        EXPECT_EQ(peak_in_flight(one_forward_one_backward(s, stages, count)),
                  std::min(stages - s, count));
      }
    }
  }
}

TEST(PipelineSchedule, NeverWaitsInACircleAndTakesTheTimeOfThePaper) {
  for (int stages = 1; stages <= 9; ++stages) {
    for (int count = 1; count <= 20; ++count) {
      // A backward pass takes about two forward passes.
      const int time = simulate(all_stages(stages, count), 1, 2);
      EXPECT_EQ(time, 3 * (count + stages - 1)) << stages << " stages, " << count;
      const double idle = 1 - 3.0 * count / time;
      EXPECT_NEAR(idle_share(stages, count), idle, 1e-12);
    }
  }
}

TEST(PipelineSchedule, SimulationFindsSchedulesThatWaitInACircle) {
  // Stage 0 wants the gradient of a micro-batch before it has sent the next, which stage 1 wants
  // first.
  const std::vector<Schedule> circle{
      {{Kind::forward, 0}, {Kind::backward, 0}, {Kind::forward, 1}, {Kind::backward, 1}},
      {{Kind::forward, 0}, {Kind::forward, 1}, {Kind::backward, 0}, {Kind::backward, 1}}};
  EXPECT_EQ(simulate(circle, 1, 2), -1);
}

TEST(PipelineSchedule, SaysWhatFewMicroBatchesCost) {
  EXPECT_DOUBLE_EQ(idle_share(4, 2), 0.6);
  EXPECT_DOUBLE_EQ(idle_share(1, 1), 0);
  EXPECT_EQ(describe_schedule(4, 8),
            "4 stage(s), 8 micro-batch(es), each stage idle 27 % of a step");
  const std::string few = describe_schedule(4, 2);
  EXPECT_NE(few.find("idle 60 %"), std::string::npos) << few;
  EXPECT_NE(few.find("take 16 for less than 20 %"), std::string::npos) << few;
  for (int stages = 1; stages < 100; ++stages) EXPECT_LT(idle_share(stages, 4 * stages), 0.2);
}

TEST(PipelineSchedule, RefusesStagesAndMicroBatchesThatThereAreNot) {
  for (const auto& [stage, stages, count] :
       {std::tuple{-1, 2, 1}, {2, 2, 1}, {0, 0, 1}, {0, 1, 0}, {0, 2, -3}}) {
    EXPECT_THROW((void)one_forward_one_backward(stage, stages, count), plugin::Failure);
  }
}

World world_of(int rank, int size, const std::string& rendezvous = "file:///tmp/meet") {
  World world;
  world.rank = rank;
  world.size = size;
  world.rendezvous = rendezvous;
  return world;
}

TEST(Grid, PutsRanksThatShareLayersThenStagesNextToEachOther) {
  const Grid grid{2, 3, 2};
  EXPECT_EQ(place_of(grid, world_of(0, 12)), (Place{0, 0, 0}));
  EXPECT_EQ(place_of(grid, world_of(1, 12)), (Place{0, 0, 1}));
  EXPECT_EQ(place_of(grid, world_of(2, 12)), (Place{0, 1, 0}));
  EXPECT_EQ(place_of(grid, world_of(11, 12)), (Place{1, 2, 1}));
  for (int rank = 0; rank < 12; ++rank) {
    EXPECT_EQ(rank_of(grid, place_of(grid, world_of(rank, 12))), rank);
  }
  EXPECT_EQ(place_of({2, 2, 1}, world_of(3, 4)), (Place{1, 1, 0}));  // rank = data * stages + stage
}

TEST(Grid, MakesGroupsInWhichEveryRankHasAPlaceOfItsOwn) {
  const Grid grid{2, 3, 2};
  using Make = World (*)(const World&, const Grid&);
  std::set<std::string> names;
  std::size_t groups = 0;
  for (const auto& [make, size] :
       {std::pair<Make, int>{pipeline_world, 3}, {data_world, 2}, {tensor_world, 2}}) {
    std::map<std::string, std::set<int>> members;
    for (int rank = 0; rank < 12; ++rank) {
      const World group = make(world_of(rank, 12), grid);
      EXPECT_EQ(group.size, size);
      EXPECT_TRUE(members[group.rendezvous].insert(group.rank).second);
      names.insert(group.rendezvous);
    }
    EXPECT_EQ(members.size(), static_cast<std::size_t>(12 / size));
    for (const auto& [name, ranks] : members) {
      EXPECT_EQ(static_cast<int>(ranks.size()), size);
      EXPECT_EQ(*ranks.rbegin(), size - 1);
    }
    groups += members.size();
  }
  EXPECT_EQ(names.size(), groups);  // no two kinds meet at the same file
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const CommunicationError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Grid, RefusesGridsThatDoNotFitTheGang) {
  const auto error = error_of([] { (void)place_of({2, 2, 1}, world_of(0, 3)); });
  EXPECT_NE(error.find("has 4 places, but the gang has 3 rank(s)"), std::string::npos) << error;
  const auto zero = error_of([] { (void)place_of({1, 0, 1}, world_of(0, 1)); });
  EXPECT_NE(zero.find("at least 1"), std::string::npos) << zero;
}

TEST(Grid, NeedsAFileToMeetAtForGroupsOfSeveral) {
  const World tcp = world_of(0, 4, "tcp://127.0.0.1:29500");
  const auto error = error_of([&] { (void)pipeline_world(tcp, {2, 2, 1}); });
  EXPECT_NE(error.find("the gang must meet at \"file:///path\""), std::string::npos) << error;
  EXPECT_EQ(pipeline_world(tcp, {4, 1, 1}).size, 1);
}

}  // namespace
}  // namespace model_parallel_unit
}  // namespace betatune::distributed
