#include "trainers/torch/distributed/model_parallel/grid.hpp"

#include <string>

namespace betatune::distributed {
namespace {

std::string text_of(const Grid& grid) {
  return std::to_string(grid.data) + " (data) x " + std::to_string(grid.stages) + " (stages) x " +
         std::to_string(grid.tensor) + " (tensor)";
}

void check_grid(const Grid& grid, const World& world) {
  check_world(world);
  if (grid.data < 1 || grid.stages < 1 || grid.tensor < 1) {
    throw CommunicationError(BETATUNE_ERROR, "a grid of " + text_of(grid) +
                                                 " ranks: each of the three must be at least 1");
  }
  if (grid.size() == world.size) return;
  throw CommunicationError(BETATUNE_ERROR,
                           "a grid of " + text_of(grid) + " has " + std::to_string(grid.size()) +
                               " places, but the gang has " + std::to_string(world.size) +
                               " rank(s); their numbers must be equal");
}

/// `members`: what tells this group from the others of its kind.
World group(const World& world, int rank, int size, const std::string& members) {
  World mine = world;
  mine.rank = rank;
  mine.size = size;
  if (size == 1) return mine;
  if (parse_rendezvous(world.rendezvous).kind != Rendezvous::Kind::file) {
    throw CommunicationError(
        BETATUNE_ERROR,
        "groups within a gang meet at files, so the gang must meet at "
        "\"file:///path\" (on several machines: in a folder that all of them see), "
        "not at " +
            world.rendezvous);
  }
  mine.rendezvous += '.' + members;
  return mine;
}

}  // namespace

Place place_of(const Grid& grid, const World& world) {
  check_grid(grid, world);
  const int row = world.rank / grid.tensor;
  return {row / grid.stages, row % grid.stages, world.rank % grid.tensor};
}

int rank_of(const Grid& grid, const Place& place) {
  return (place.data * grid.stages + place.stage) * grid.tensor + place.tensor;
}

World pipeline_world(const World& world, const Grid& grid) {
  const Place place = place_of(grid, world);
  return group(world, place.stage, grid.stages,
               "pipeline-" + std::to_string(place.data) + '-' + std::to_string(place.tensor));
}

World data_world(const World& world, const Grid& grid) {
  const Place place = place_of(grid, world);
  return group(world, place.data, grid.data,
               "data-" + std::to_string(place.stage) + '-' + std::to_string(place.tensor));
}

World tensor_world(const World& world, const Grid& grid) {
  const Place place = place_of(grid, world);
  return group(world, place.tensor, grid.tensor,
               "tensor-" + std::to_string(place.data) + '-' + std::to_string(place.stage));
}

}  // namespace betatune::distributed
