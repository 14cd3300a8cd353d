/// A gang of one rank, as a job without `ranks` starts it: there is no place to meet.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {
namespace {

class AloneTest : public ::testing::TestWithParam<Backend> {};

TEST_P(AloneTest, NeedsNoPlaceToMeet) {
  if (!has_backend(GetParam())) GTEST_SKIP() << name_of(GetParam()) << " is not in this build";
  const auto results = support::run_ranks(1, [backend = GetParam()](World world) {
    at::set_num_threads(1);
    world.rendezvous.clear();
    world.timeout = std::chrono::seconds(10);
    const auto communicator = make_communicator(backend, world, "1");
    at::Tensor numbers = at::arange(5, at::kFloat);
    communicator->all_reduce(numbers, Reduction::sum);
    communicator->barrier();
    return std::string(numbers.equal(at::arange(5, at::kFloat)) ? "ok" : "changed");
  });

  EXPECT_TRUE(results[0].returned()) << results[0].text;
  EXPECT_EQ(results[0].text, "ok");
}

INSTANTIATE_TEST_SUITE_P(Backends, AloneTest,
                         ::testing::Values(Backend::automatic, Backend::shared_memory,
                                           Backend::gloo));

}  // namespace
}  // namespace betatune::distributed
