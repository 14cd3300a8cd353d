#include "trainers/torch/collisions/detector.hpp"

namespace betatune::collisions {

FourMomentum measured_jet(const Parton& truth, engine::Stream& random) {
  const FourMomentum& parton = truth.momentum;
  double kept = 1 - std::min(random.exponential(0.05), 0.5);
  if (truth.flavour != Flavour::light && random.chance(0.25)) kept *= 1 - random.uniform(0, 0.4);
  const double spread = std::hypot(1 / std::sqrt(std::max(parton.e, 1.0)), 0.06);
  const double scale = kept * std::max(1 + spread * random.normal(), 0.05);
  return from_pt_eta_phi(scale * parton.pt(), parton.eta() + 0.04 * random.normal(),
                         parton.phi() + 0.04 * random.normal());
}

FourMomentum measured_lepton(const FourMomentum& truth, engine::Stream& random) {
  const double scale = std::max(1 + 0.015 * random.normal(), 0.5);
  return from_pt_eta_phi(scale * truth.pt(), truth.eta(), truth.phi());
}

bool tagged(Flavour flavour, engine::Stream& random) {
  const double efficiency = flavour == Flavour::bottom  ? 0.70
                            : flavour == Flavour::charm ? 0.15
                                                        : 0.02;
  return random.chance(efficiency);
}

}  // namespace betatune::collisions
