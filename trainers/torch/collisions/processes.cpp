#include "trainers/torch/collisions/processes.hpp"

#include <numbers>
#include <tuple>

namespace betatune::collisions {
namespace {

using engine::Stream;

constexpr double kWWidth = 2.1, kTopWidth = 1.4, kHeavyWidth = 3, kLightWidth = 0.01;

double azimuth(Stream& random) {
  return random.uniform(-std::numbers::pi, std::numbers::pi);
}

FourMomentum with_rapidity(double mass, double pt, double phi, double rapidity) {
  const double transverse = std::hypot(mass, pt);
  return {transverse * std::cosh(rapidity), pt * std::cos(phi), pt * std::sin(phi),
          transverse * std::sinh(rapidity)};
}

/// Radiation before the collision: what makes `heavy` move sidewards.
void produce(SemileptonicEvent& event, double mass, double mean_pt, Stream& random) {
  const double pt = random.exponential(mean_pt), phi = azimuth(random);
  event.heavy = with_rapidity(mass, pt, phi, 0.9 * random.normal());
  event.radiation = from_pt_eta_phi(pt, 1.5 * random.normal(), phi + std::numbers::pi);
}

/// W -> lepton neutrino, W -> quarks; half of the quark pairs have a charm.
void decay_ws(SemileptonicEvent& event, const FourMomentum& a, const FourMomentum& b,
              Stream& random) {
  const bool first = random.chance(0.5);
  std::tie(event.lepton, event.neutrino) = decay(first ? a : b, 0, 0, random);
  const auto [up, down] = decay(first ? b : a, 0, 0, random);
  event.partons.push_back({up, random.chance(0.5) ? Flavour::charm : Flavour::light});
  event.partons.push_back({down, Flavour::light});
  event.partons.push_back({event.radiation, Flavour::light});
}

}  // namespace

Pair decay(const FourMomentum& parent, double m1, double m2, Stream& random) {
  const double m = parent.mass();
  const double sum = m1 + m2, difference = m1 - m2;
  const double square = (m * m - sum * sum) * (m * m - difference * difference);
  const double p = std::sqrt(std::max(square, 0.0)) / (2 * m);
  const double cosine = random.uniform(-1, 1), sine = std::sqrt(1 - cosine * cosine);
  const double phi = azimuth(random);
  const double px = p * sine * std::cos(phi), py = p * sine * std::sin(phi), pz = p * cosine;
  return {boosted({std::hypot(p, m1), px, py, pz}, parent),
          boosted({std::hypot(p, m2), -px, -py, -pz}, parent)};
}

double resonance_mass(double pole, double width, Stream& random) {
  // The integral of the line shape within +-5 widths, turned round.
  const double edge = std::atan(10.0);
  return pole + 0.5 * width * std::tan(random.uniform(-edge, edge));
}

SemileptonicEvent higgs_cascade(Stream& random) {
  SemileptonicEvent event;
  produce(event, resonance_mass(kHeavyHiggsMass, kHeavyWidth, random), 60, random);
  const double w1 = resonance_mass(kWMass, kWWidth, random);
  const double w2 = resonance_mass(kWMass, kWWidth, random);
  const double charged = std::min(resonance_mass(kChargedHiggsMass, kHeavyWidth, random),
                                  event.heavy.mass() - w1 - 0.1);
  const auto [first, middle] = decay(event.heavy, w1, charged, random);
  const auto [second, light] =
      decay(middle, w2, resonance_mass(kLightHiggsMass, kLightWidth, random), random);
  const auto [b1, b2] = decay(light, kBottomMass, kBottomMass, random);
  event.partons = {{b1, Flavour::bottom}, {b2, Flavour::bottom}};
  decay_ws(event, first, second, random);
  return event;
}

SemileptonicEvent top_pair(Stream& random) {
  SemileptonicEvent event;
  const double top1 = resonance_mass(kTopMass, kTopWidth, random);
  const double top2 = resonance_mass(kTopMass, kTopWidth, random);
  // Above threshold the pairs are most at 70 GeV and fall off: gluons of high energy are few.
  const double above = random.exponential(70) + random.exponential(70);
  produce(event, top1 + top2 + above, 60, random);
  const auto [t1, t2] = decay(event.heavy, top1, top2, random);
  const auto [a, b1] = decay(t1, resonance_mass(kWMass, kWWidth, random), kBottomMass, random);
  const auto [b, b2] = decay(t2, resonance_mass(kWMass, kWWidth, random), kBottomMass, random);
  event.partons = {{b1, Flavour::bottom}, {b2, Flavour::bottom}};
  decay_ws(event, a, b, random);
  return event;
}

LeptonicEvent w_and_jets(Stream& random) {
  LeptonicEvent event;
  const int jets = 1 + std::min(random.poisson(0.8), 3);
  double px = 0, py = 0;
  for (int i = 0; i < jets; ++i) {
    const double pt = 20 + random.exponential(i == 0 ? 45 : 25);
    const auto jet = from_pt_eta_phi(pt, 1.4 * random.normal(), azimuth(random));
    event.partons.push_back({jet, random.chance(0.1) ? Flavour::charm : Flavour::light});
    px -= jet.px;
    py -= jet.py;
  }
  const auto w = with_rapidity(resonance_mass(kWMass, kWWidth, random), std::hypot(px, py),
                               std::atan2(py, px), 1.1 * random.normal());
  std::tie(event.lepton, event.neutrino) = decay(w, 0, 0, random);
  return event;
}

std::vector<Parton> multijet(Stream& random) {
  std::vector<Parton> partons;
  const int radiated = std::min(random.poisson(0.7), 3);
  double px = 0, py = 0;
  const auto add = [&](double pt, double phi) {
    const auto jet = from_pt_eta_phi(pt, 1.4 * random.normal(), phi);
    const double kind = random.uniform();
    partons.push_back({jet, kind < 0.05   ? Flavour::bottom
                            : kind < 0.15 ? Flavour::charm
                                          : Flavour::light});
    px -= jet.px;
    py -= jet.py;
  };
  add(40 + random.exponential(40), azimuth(random));
  for (int i = 0; i < radiated; ++i) add(20 + random.exponential(15), azimuth(random));
  add(std::hypot(px, py), std::atan2(py, px));
  return partons;
}

}  // namespace betatune::collisions
