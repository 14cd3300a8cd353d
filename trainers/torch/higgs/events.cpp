#include "trainers/torch/higgs/events.hpp"

#include <algorithm>
#include <vector>

#include "trainers/torch/collisions/detector.hpp"

namespace betatune::higgs {
namespace {

using collisions::FourMomentum;
using engine::Stream;

constexpr double kLeastPt = 20, kMostEta = 2.5, kIsolation = 0.4;
constexpr double kSoftNoise = 8;  ///< GeV, of each component of the missing momentum

struct Jet {
  FourMomentum momentum;
  bool tagged;
};

bool accepted(const FourMomentum& v) {
  return v.pt() > kLeastPt && std::abs(v.eta()) < kMostEta;
}

struct Measured {
  FourMomentum lepton;
  std::vector<Jet> jets;  ///< accepted ones, by falling pt
  double missing_x = 0, missing_y = 0;
};

Measured measure(const collisions::SemileptonicEvent& event, Stream& random) {
  Measured seen;
  seen.lepton = collisions::measured_lepton(event.lepton, random);
  FourMomentum visible = seen.lepton;
  for (const auto& parton : event.partons) {
    const Jet jet{collisions::measured_jet(parton, random),
                  collisions::tagged(parton.flavour, random)};
    visible += jet.momentum;
    if (accepted(jet.momentum)) seen.jets.push_back(jet);
  }
  std::sort(seen.jets.begin(), seen.jets.end(),
            [](const Jet& a, const Jet& b) { return a.momentum.pt() > b.momentum.pt(); });
  seen.missing_x = kSoftNoise * random.normal() - visible.px;
  seen.missing_y = kSoftNoise * random.normal() - visible.py;
  return seen;
}

bool selected(const Measured& seen) {
  if (!accepted(seen.lepton) || seen.jets.size() < kJets) return false;
  const auto near = [&](const Jet& jet) {
    return collisions::delta_r(jet.momentum, seen.lepton) < kIsolation;
  };
  const auto tags = std::count_if(seen.jets.begin(), seen.jets.begin() + kJets,
                                  [](const Jet& jet) { return jet.tagged; });
  return tags >= 2 && std::none_of(seen.jets.begin(), seen.jets.end(), near);
}

void fill(const Measured& seen, std::span<float, kFeatures> features) {
  const auto number = [](double x) { return static_cast<float>(x); };
  features[lepton_pt] = number(seen.lepton.pt());
  features[lepton_eta] = number(seen.lepton.eta());
  features[lepton_phi] = number(seen.lepton.phi());
  features[missing_energy] = number(std::hypot(seen.missing_x, seen.missing_y));
  features[missing_phi] = number(std::atan2(seen.missing_y, seen.missing_x));
  for (std::size_t i = 0; i < kJets; ++i) {
    const auto jet = features.subspan(first_jet + kJetFeatures * i, kJetFeatures);
    jet[0] = number(seen.jets[i].momentum.pt());
    jet[1] = number(seen.jets[i].momentum.eta());
    jet[2] = number(seen.jets[i].momentum.phi());
    jet[3] = seen.jets[i].tagged ? 1.0F : 0.0F;
  }
  const auto masses = derive(features.first<kLowLevel>());
  std::copy(masses.begin(), masses.end(), features.begin() + kLowLevel);
}

}  // namespace

std::int64_t make_event(std::uint64_t key, std::span<float, kFeatures> features) {
  const bool signal = Stream(key).chance(0.5);
  for (std::uint64_t trial = 1;; ++trial) {
    Stream random(engine::derive_key(key, engine::Purpose::events, trial));
    const auto event = signal ? collisions::higgs_cascade(random) : collisions::top_pair(random);
    const Measured seen = measure(event, random);
    if (!selected(seen)) continue;
    fill(seen, features);
    return signal ? 1 : 0;
  }
}

collisions::Generated make_events(const collisions::DataSettings& settings) {
  return collisions::generate(settings, kFeatures, [](std::uint64_t key, std::span<float> row) {
    return make_event(key, row.first<kFeatures>());
  });
}

}  // namespace betatune::higgs
