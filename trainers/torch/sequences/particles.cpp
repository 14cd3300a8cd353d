#include "trainers/torch/sequences/particles.hpp"

#include <algorithm>
#include <vector>

#include "trainers/torch/collisions/processes.hpp"

namespace betatune::sequences {
namespace {

using collisions::FourMomentum;
using collisions::Parton;
using engine::Stream;

constexpr double kLeastPt = 0.5, kMostEta = 2.5, kLeastLeptonPt = 10;
constexpr double kPileUp = 8;  ///< soft particles from other collisions, on average

struct Particle {
  FourMomentum momentum;
  Feature kind;
  int charge = 0;
};

struct Event {
  std::vector<Particle> particles;
  bool has_lepton = false;
};

double resolution(Feature kind) {
  switch (kind) {
    case photon:
      return 0.03;
    case neutral_hadron:
      return 0.2;
    default:
      return 0.015;
  }
}

int random_charge(Stream& random) {
  return random.chance(0.5) ? 1 : -1;
}

Particle hadron(const FourMomentum& momentum, Stream& random) {
  const double u = random.uniform();
  if (u < 0.60) return {momentum, charged_hadron, random_charge(random)};
  return {momentum, u < 0.85 ? photon : neutral_hadron, 0};
}

Particle lepton(const FourMomentum& momentum, Stream& random) {
  return {momentum, random.chance(0.5) ? electron : muon, random_charge(random)};
}

/// Measures a particle and keeps it if it can be seen.
void see(Event& event, Particle particle, Stream& random) {
  const double scale = std::max(1 + resolution(particle.kind) * random.normal(), 0.05);
  auto& m = particle.momentum;
  m = collisions::from_pt_eta_phi(scale * m.pt(), m.eta(), m.phi());
  if (m.pt() < kLeastPt || std::abs(m.eta()) > kMostEta) return;
  const bool leptonic = particle.kind == electron || particle.kind == muon;
  event.has_lepton |= leptonic && m.pt() > kLeastLeptonPt;
  event.particles.push_back(particle);
}

/// Breaks a parton into a narrow spray of particles that share its momentum by random fractions,
/// more and closer together at high pt. `fake`: the hardest of them is taken for a lepton.
void fragment(Event& event, const Parton& parton, bool fake, Stream& random) {
  const auto& jet = parton.momentum;
  const int count = 3 + random.poisson(1.5 * std::log(1 + jet.pt() / 4));
  const double spread = 0.35 / std::sqrt(1 + jet.pt() / 25);
  std::vector<double> parts(static_cast<std::size_t>(count));
  double sum = 0;
  for (double& part : parts) sum += part = random.exponential(1);
  std::sort(parts.begin(), parts.end(), std::greater<>());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto piece =
        collisions::from_pt_eta_phi(jet.pt() * parts[i] / sum, jet.eta() + spread * random.normal(),
                                    jet.phi() + spread * random.normal());
    const bool decays = i == 1 && parton.flavour == collisions::Flavour::bottom &&
                        random.chance(0.2);  // b -> c lepton neutrino
    see(event, (fake && i == 0) || decays ? lepton(piece, random) : hadron(piece, random), random);
  }
}

void add_pile_up(Event& event, Stream& random) {
  for (int i = random.poisson(kPileUp); i > 0; --i) {
    const double pt = kLeastPt + random.exponential(0.8);
    const double at = random.uniform(-kMostEta, kMostEta);
    see(event, hadron(collisions::from_pt_eta_phi(pt, at, random.uniform(-M_PI, M_PI)), random),
        random);
  }
}

Event make(Topology topology, Stream& random) {
  Event event;
  std::vector<Parton> partons;
  if (topology == Topology::multijet) {
    partons = collisions::multijet(random);
  } else if (topology == Topology::w_and_jets) {
    auto w = collisions::w_and_jets(random);
    see(event, lepton(w.lepton, random), random);
    partons = std::move(w.partons);
  } else {
    auto tops = collisions::top_pair(random);
    see(event, lepton(tops.lepton, random), random);
    partons = std::move(tops.partons);
  }
  const std::size_t fake =
      topology == Topology::multijet ? random.bits() % partons.size() : partons.size();
  for (std::size_t i = 0; i < partons.size(); ++i) fragment(event, partons[i], i == fake, random);
  add_pile_up(event, random);
  return event;
}

void fill(Event& event, std::span<float> row) {
  FourMomentum visible;
  for (const auto& particle : event.particles) visible += particle.momentum;
  const FourMomentum missing =
      collisions::from_pt_eta_phi(visible.pt(), 0, std::atan2(-visible.py, -visible.px));
  event.particles.push_back({missing, missing_momentum, 0});
  std::stable_sort(
      event.particles.begin(), event.particles.end(),
      [](const Particle& a, const Particle& b) { return a.momentum.pt() > b.momentum.pt(); });
  const std::size_t count = std::min(event.particles.size(), row.size() / kFeatures);
  for (std::size_t i = 0; i < count; ++i) {
    const Particle& particle = event.particles[i];
    const auto place = row.subspan(i * kFeatures, kFeatures);
    const double pt = std::max(particle.momentum.pt(), 1e-3);
    place[log_pt] = static_cast<float>(std::log(pt));
    place[eta] = static_cast<float>(particle.momentum.eta());
    place[phi] = static_cast<float>(collisions::delta_phi(particle.momentum.phi(), missing.phi()));
    place[charge] = static_cast<float>(particle.charge);
    place[particle.kind] = 1;
  }
}

}  // namespace

std::int64_t make_event(std::uint64_t key, std::span<float> row) {
  const auto topology =
      static_cast<Topology>(Stream(key).bits() % static_cast<std::uint64_t>(kTopologies));
  for (std::uint64_t trial = 1;; ++trial) {
    Stream random(engine::derive_key(key, engine::Purpose::events, trial));
    Event event = make(topology, random);
    if (!event.has_lepton) continue;  // nothing that a trigger would have kept
    fill(event, row);
    return static_cast<std::int64_t>(topology);
  }
}

collisions::Generated make_events(const collisions::DataSettings& settings, std::int64_t places) {
  return collisions::generate(settings, static_cast<std::size_t>(places) * kFeatures, make_event);
}

}  // namespace betatune::sequences
