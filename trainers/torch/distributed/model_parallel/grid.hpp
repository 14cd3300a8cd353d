#pragma once
/// The ranks of a gang as a grid, where a model does not fit on one of them, or not fast enough:
/// each copy of the model is a row of pipeline stages, each stage may be split over several ranks,
/// and there may be several copies, which share the samples. Every rank is in one group of each
/// kind; a group meets beside the gang's own rendezvous. No libtorch here.

#include "trainers/torch/distributed/world.hpp"

namespace betatune::distributed {

struct Grid {
  int data = 1;    ///< copies of the model
  int stages = 1;  ///< of the pipeline that a copy is
  int tensor = 1;  ///< ranks that share each layer of a stage

  int size() const { return data * stages * tensor; }
};

/// Where in the grid a rank is: rank = (data * stages + stage) * tensor ranks + tensor. So the
/// ranks that exchange the most are neighbours, as on a machine.
struct Place {
  int data = 0, stage = 0, tensor = 0;

  bool operator==(const Place&) const = default;
};

/// errors of all: CommunicationError (BETATUNE_ERROR) unless the grid has as many places as the
/// gang has ranks, and each of its sizes is at least 1
Place place_of(const Grid& grid, const World& world);
int rank_of(const Grid& grid, const Place& place);

/// The group of this rank, for make_communicator: the stages of its copy of the model (rank in the
/// group: stage), the copies of its stage (rank: data), and those that share its layers (rank:
/// tensor). Groups meet at files beside the gang's, so the gang must meet at a file, too.
/// errors also for a group of several ranks in a gang that meets at "tcp://"
World pipeline_world(const World& world, const Grid& grid);
World data_world(const World& world, const Grid& grid);
World tensor_world(const World& world, const Grid& grid);

}  // namespace betatune::distributed
