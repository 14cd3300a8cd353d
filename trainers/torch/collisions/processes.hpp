#pragma once
/// What a collision makes before a detector sees it: chains of two-body decays, as phase space has
/// them (isotropic in each parent's rest frame; no matrix elements, no spins). That is what the
/// masses and boosts of a final state come from, which is what a classifier of events learns.

#include <utility>
#include <vector>

#include "trainers/torch/collisions/four_momentum.hpp"
#include "trainers/torch/engine/random.hpp"

namespace betatune::collisions {

inline constexpr double kTopMass = 172.5, kWMass = 80.4, kBottomMass = 4.7;
/// The masses of Baldi et al. 2014 (arXiv:1402.4735).
inline constexpr double kHeavyHiggsMass = 425, kChargedHiggsMass = 325, kLightHiggsMass = 125;

using Pair = std::pair<FourMomentum, FourMomentum>;

/// parent's mass must be at least m1 + m2. The two add up to the parent.
Pair decay(const FourMomentum& parent, double m1, double m2, engine::Stream& random);

/// A mass around `pole` with a Breit-Wigner's spread of full width `width`, cut at 5 widths.
double resonance_mass(double pole, double width, engine::Stream& random);

enum class Flavour { light, charm, bottom };

struct Parton {
  FourMomentum momentum;
  Flavour flavour = Flavour::light;
};

/// Two W bosons and two b quarks, of which one W gives a lepton and a neutrino.
struct SemileptonicEvent {
  FourMomentum lepton, neutrino;
  std::vector<Parton> partons;  ///< b, b, two of the other W, and what was radiated before
  FourMomentum heavy;           ///< the pair of tops, or the heavy Higgs boson
  FourMomentum radiation;       ///< recoils from `heavy`, transversely
};

/// pp -> H0 -> W (H+- -> W (h -> b b)), the signal of Baldi et al.
SemileptonicEvent higgs_cascade(engine::Stream& random);
/// pp -> t t -> W b W b, the background, with the same particles in the end.
SemileptonicEvent top_pair(engine::Stream& random);

/// One W boson that gives a lepton and a neutrino, and 1 to 4 jets that it recoils from.
struct LeptonicEvent {
  FourMomentum lepton, neutrino;
  std::vector<Parton> partons;
};
LeptonicEvent w_and_jets(engine::Stream& random);

/// Two to five jets that balance, and no lepton but what comes out of a jet.
std::vector<Parton> multijet(engine::Stream& random);

}  // namespace betatune::collisions
