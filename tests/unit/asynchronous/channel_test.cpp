#include "trainers/torch/distributed/asynchronous/channel.hpp"

#include <gtest/gtest.h>

namespace betatune::distributed::asynchronous {
namespace {

TEST(ShardLayers, GivesTheLargestToTheLeastLoaded) {
  EXPECT_EQ(shard_layers({10, 100, 60, 50}, 2), (std::vector<std::size_t>{0, 0, 1, 1}));
}

TEST(ShardLayers, HasOneServerPerLayerWhereThereAreEnough) {
  EXPECT_EQ(shard_layers({5, 5, 5}, 3), (std::vector<std::size_t>{0, 1, 2}));
}

TEST(ShardLayers, LayersOfAServerKeepTheirOrder) {
  const Layers all{{1}, {2}, {3}};
  EXPECT_EQ(layers_of(all, {1, 0, 1}, 1), (Layers{{1}, {3}}));
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
