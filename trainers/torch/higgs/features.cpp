#include "trainers/torch/higgs/features.hpp"

#include <algorithm>
#include <cmath>

#include "trainers/torch/collisions/processes.hpp"

namespace betatune::higgs {

using collisions::FourMomentum;

const std::array<const char*, kFeatures> kFeatureNames = {
    "lepton_pt", "lepton_eta", "lepton_phi", "missing_energy", "missing_phi", "jet1_pt",
    "jet1_eta",  "jet1_phi",   "jet1_tag",   "jet2_pt",        "jet2_eta",    "jet2_phi",
    "jet2_tag",  "jet3_pt",    "jet3_eta",   "jet3_phi",       "jet3_tag",    "jet4_pt",
    "jet4_eta",  "jet4_phi",   "jet4_tag",   "m_jj",           "m_jjj",       "m_lv",
    "m_jlv",     "m_bb",       "m_wbb",      "m_wwbb"};

namespace {

/// The neutrino of W -> lepton neutrino, both massless: from (p_l + p_n)^2 = m_W^2 follows a
/// quadratic equation in its momentum along the beam.
FourMomentum neutrino(const FourMomentum& lepton, double missing, double phi) {
  const double px = missing * std::cos(phi), py = missing * std::sin(phi);
  const double half =
      0.5 * collisions::kWMass * collisions::kWMass + lepton.px * px + lepton.py * py;
  const double pt2 = std::max(lepton.px * lepton.px + lepton.py * lepton.py, 1e-12);
  const double middle = half * lepton.pz / pt2;
  const double square =
      middle * middle - (lepton.e * lepton.e * missing * missing - half * half) / pt2;
  double pz = middle;
  if (square > 0) {
    const double root = std::sqrt(square);
    pz = std::abs(middle - root) < std::abs(middle + root) ? middle - root : middle + root;
  }
  return {std::hypot(missing, pz), px, py, pz};
}

struct Jet {
  FourMomentum momentum;
  bool tagged;
};

/// Tagged jets first; else in their order, which is by falling pt.
std::array<Jet, kJets> jets_of(std::span<const float, kLowLevel> low) {
  std::array<Jet, kJets> jets{};
  for (std::size_t i = 0; i < kJets; ++i) {
    const auto jet = low.subspan(first_jet + kJetFeatures * i, kJetFeatures);
    jets[i] = {collisions::from_pt_eta_phi(jet[0], jet[1], jet[2]), jet[3] > 0};
  }
  std::stable_sort(jets.begin(), jets.end(),
                   [](const Jet& a, const Jet& b) { return a.tagged && !b.tagged; });
  return jets;
}

double from_top(const FourMomentum& a, const FourMomentum& b) {
  return std::abs((a + b).mass() - collisions::kTopMass);
}

}  // namespace

std::array<float, kDerived> derive(std::span<const float, kLowLevel> low) {
  const auto jets = jets_of(low);
  const auto lepton = collisions::from_pt_eta_phi(low[lepton_pt], low[lepton_eta], low[lepton_phi]);
  const auto leptonic = lepton + neutrino(lepton, low[missing_energy], low[missing_phi]);
  const auto hadronic = jets[2].momentum + jets[3].momentum;
  FourMomentum near = jets[0].momentum, far = jets[1].momentum;  // to the hadronic, leptonic W
  if (from_top(hadronic, far) + from_top(leptonic, near) <
      from_top(hadronic, near) + from_top(leptonic, far)) {
    std::swap(near, far);
  }
  const auto bb = near + far;
  const std::array<double, kDerived> masses = {
      hadronic.mass(),
      (hadronic + near).mass(),
      leptonic.mass(),
      (leptonic + far).mass(),
      bb.mass(),
      std::max((hadronic + bb).mass(), (leptonic + bb).mass()),
      (hadronic + leptonic + bb).mass()};
  std::array<float, kDerived> out{};
  std::transform(masses.begin(), masses.end(), out.begin(),
                 [](double m) { return static_cast<float>(m); });
  return out;
}

}  // namespace betatune::higgs
