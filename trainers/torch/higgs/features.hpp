#pragma once
/// What an event is for the classifier: the 21 low-level and 7 derived features of the HIGGS data
/// set (Baldi, Sadowski, Whiteson 2014, arXiv:1402.4735), in its order. Momenta and masses in GeV.

#include <array>
#include <span>

namespace betatune::higgs {

inline constexpr std::size_t kLowLevel = 21, kDerived = 7, kFeatures = kLowLevel + kDerived;

/// Where they are; jets are four groups of pt, eta, phi, tag from kJets on, by falling pt.
enum Feature : std::size_t {
  lepton_pt = 0,
  lepton_eta = 1,
  lepton_phi = 2,
  missing_energy = 3,  ///< transverse; what the neutrino took, and errors
  missing_phi = 4,
  first_jet = 5,
  m_jj = 21,
  m_jjj = 22,
  m_lv = 23,
  m_jlv = 24,
  m_bb = 25,
  m_wbb = 26,
  m_wwbb = 27
};
inline constexpr std::size_t kJets = 4, kJetFeatures = 4;

extern const std::array<const char*, kFeatures> kFeatureNames;

/// The seven masses that a physicist would compute of the low-level features. The two tagged jets
/// of highest pt are the b quarks (untagged ones stand in where fewer are tagged), the other two
/// the hadronic W (m_jj); the neutrino's momentum along the beam is the one of the two that gives
/// m_lv the mass of a W which is smaller, or their common real part; each b goes to the W with
/// which both triples (m_jjj, m_jlv) are nearest to the mass of a top; m_wbb takes the W that makes
/// it larger, as the decay of a charged Higgs boson does.
std::array<float, kDerived> derive(std::span<const float, kLowLevel> low_level);

}  // namespace betatune::higgs
