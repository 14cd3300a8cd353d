#pragma once
/// What a detector makes of particles: it measures with an error, misses some, and tags b quarks
/// with an efficiency. The figures are those of a general-purpose detector, rounded.

#include "trainers/torch/collisions/processes.hpp"

namespace betatune::collisions {

/// Energy within 100 % / sqrt(E / GeV) and 6 % (in quadrature), direction within 0.04. Some is lost
/// before: radiated out of the jet (5 % on average), and to the neutrino of every fourth b or charm
/// quark.
FourMomentum measured_jet(const Parton& truth, engine::Stream& random);
/// Transverse momentum within 1.5 %, direction exactly.
FourMomentum measured_lepton(const FourMomentum& truth, engine::Stream& random);
/// b quarks 70 %, charm 15 %, others 2 %.
bool tagged(Flavour flavour, engine::Stream& random);

}  // namespace betatune::collisions
