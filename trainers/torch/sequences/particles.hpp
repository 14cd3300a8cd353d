#pragma once
/// Events as lists of particles, made here: three topologies that a trigger must tell apart, after
/// the benchmark of MPILearn (arXiv:1712.05878) and Nguyen et al. 2018 (arXiv:1807.00083). Each has
/// a lepton, so it takes the rest of the event to tell: a lepton within a jet (multijet), alone
/// with missing momentum (W boson and jets), or with that and four jets (top pair).

#include <cstdint>
#include <span>

#include "trainers/torch/collisions/generated.hpp"

namespace betatune::sequences {

enum class Topology { multijet = 0, w_and_jets = 1, top_pair = 2 };
inline constexpr std::int64_t kTopologies = 3;

/// A particle's features: logarithm of pt / GeV, eta, azimuth from that of the missing momentum (in
/// (-pi, pi]), charge, and which kind it is: exactly one of the last six is 1. In an empty place
/// all are 0.
enum Feature : std::size_t {
  log_pt = 0,
  eta = 1,
  phi = 2,
  charge = 3,
  charged_hadron = 4,
  neutral_hadron = 5,
  photon = 6,
  electron = 7,
  muon = 8,
  missing_momentum = 9  ///< no particle, but what is missing to balance the others
};
inline constexpr std::size_t kFeatures = 10, kFirstKind = charged_hadron;

/// row      places x kFeatures of zeros; filled with the particles of highest pt, by falling pt;
///          what does not fit is left out
/// returns  the topology, each a third of the events
std::int64_t make_event(std::uint64_t key, std::span<float> row);

/// places  particles that are kept of each event
collisions::Generated make_events(const collisions::DataSettings& settings, std::int64_t places);

}  // namespace betatune::sequences
