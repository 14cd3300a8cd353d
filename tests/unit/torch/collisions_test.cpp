// Kinematics before and in the detector. Energies in GeV.

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

#include "trainers/torch/collisions/detector.hpp"
#include "trainers/torch/collisions/processes.hpp"

namespace betatune::collisions {
namespace {

using engine::Stream;

/// Rounding of double precision, at energies of up to some TeV.
constexpr double kExact = 1e-6;

void expect_equal(const FourMomentum& a, const FourMomentum& b) {
  EXPECT_NEAR(a.e, b.e, kExact);
  EXPECT_NEAR(a.px, b.px, kExact);
  EXPECT_NEAR(a.py, b.py, kExact);
  EXPECT_NEAR(a.pz, b.pz, kExact);
}

double median(std::vector<double> numbers) {
  std::nth_element(numbers.begin(), numbers.begin() + static_cast<long>(numbers.size() / 2),
                   numbers.end());
  return numbers[numbers.size() / 2];
}

TEST(Kinematics, CoordinatesGoThereAndBack) {
  const auto v = from_pt_eta_phi(30, -1.2, 2.5, 4);

  EXPECT_NEAR(v.pt(), 30, kExact);
  EXPECT_NEAR(v.eta(), -1.2, kExact);
  EXPECT_NEAR(v.phi(), 2.5, kExact);
  EXPECT_NEAR(v.mass(), 4, kExact);
  EXPECT_NEAR(delta_phi(3, -3), 6 - 2 * M_PI, 1e-12);
}

TEST(Kinematics, BoostsKeepMassesAndTakeRestToTheFrame) {
  const auto frame = from_pt_eta_phi(120, 0.7, 1, 80);
  const auto v = from_pt_eta_phi(15, -0.3, -2, 5);

  EXPECT_NEAR(boosted(v, frame).mass(), 5, kExact);
  expect_equal(boosted({80, 0, 0, 0}, frame), frame);
}

TEST(Decay, ConservesFourMomentumAndGivesTheMasses) {
  Stream random(1);
  for (int i = 0; i < 200; ++i) {
    const double mass = random.uniform(50, 500);
    const auto parent =
        from_pt_eta_phi(random.exponential(60), random.normal(), random.uniform(-3, 3), mass);
    const double m1 = random.uniform(0, 20), m2 = random.uniform(0, 20);
    const auto [a, b] = decay(parent, m1, m2, random);
    expect_equal(a + b, parent);
    EXPECT_NEAR(a.mass(), m1, 1e-3);  // the root of a small difference of large squares
    EXPECT_NEAR(b.mass(), m2, 1e-3);
  }
}

TEST(Decay, IsIsotropicInTheRestFrame) {
  Stream random(2);
  double sum = 0, squares = 0;
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    const auto a = decay({100, 0, 0, 0}, 0, 0, random).first;
    sum += a.pz / a.e;
    squares += a.pz * a.pz / (a.e * a.e);
  }
  EXPECT_NEAR(sum / kCount, 0, 5 * 0.577 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * 0.298 / std::sqrt(kCount));
}

/// Everything of an event but what was radiated before.
FourMomentum total(const SemileptonicEvent& event) {
  FourMomentum sum = event.lepton + event.neutrino;
  for (std::size_t i = 0; i < 4; ++i) sum += event.partons[i].momentum;
  return sum;
}

TEST(Processes, ConserveFourMomentum) {
  Stream random(3);
  for (int i = 0; i < 500; ++i) {
    const auto event = i % 2 == 0 ? higgs_cascade(random) : top_pair(random);
    ASSERT_EQ(event.partons.size(), 5u);
    expect_equal(total(event), event.heavy);
    const auto all = event.heavy + event.radiation;
    EXPECT_NEAR(all.px, 0, kExact);
    EXPECT_NEAR(all.py, 0, kExact);
  }
}

TEST(Processes, TheCascadeGoesThroughItsHiggsBosons) {
  Stream random(4);
  std::vector<double> heavy, charged, light, w;
  for (int i = 0; i < 1'000; ++i) {
    const auto event = higgs_cascade(random);
    const auto bb = event.partons[0].momentum + event.partons[1].momentum;
    const auto leptonic = event.lepton + event.neutrino;
    const auto hadronic = event.partons[2].momentum + event.partons[3].momentum;
    EXPECT_NEAR(bb.mass(), kLightHiggsMass, 0.1);
    heavy.push_back(event.heavy.mass());
    // One of the two W bosons is of the charged Higgs boson.
    const double a = (bb + leptonic).mass(), b = (bb + hadronic).mass();
    charged.push_back(std::abs(a - kChargedHiggsMass) < std::abs(b - kChargedHiggsMass) ? a : b);
    w.push_back(leptonic.mass());
  }
  EXPECT_NEAR(median(heavy), kHeavyHiggsMass, 1);
  EXPECT_NEAR(median(charged), kChargedHiggsMass, 1);
  EXPECT_NEAR(median(w), kWMass, 0.5);
}

TEST(Processes, TopsDecayToAWAndABottom) {
  Stream random(5);
  for (int i = 0; i < 500; ++i) {
    const auto event = top_pair(random);
    const auto leptonic = event.lepton + event.neutrino;
    const auto hadronic = event.partons[2].momentum + event.partons[3].momentum;
    const auto& b1 = event.partons[0].momentum;
    const auto& b2 = event.partons[1].momentum;
    const auto both_near = [](double m1, double m2) {
      return std::abs(m1 - kTopMass) < 7.1 && std::abs(m2 - kTopMass) < 7.1;  // 5 widths
    };
    EXPECT_TRUE(both_near((leptonic + b1).mass(), (hadronic + b2).mass()) ||
                both_near((leptonic + b2).mass(), (hadronic + b1).mass()));
    EXPECT_GE(event.heavy.mass(), 2 * (kTopMass - 7.1));
  }
}

TEST(Processes, WBosonsAndJetsBalance) {
  Stream random(6);
  std::vector<double> masses;
  for (int i = 0; i < 500; ++i) {
    const auto w = w_and_jets(random);
    FourMomentum sum = w.lepton + w.neutrino;
    masses.push_back(sum.mass());
    for (const auto& parton : w.partons) sum += parton.momentum;
    EXPECT_NEAR(sum.pt(), 0, kExact);
    FourMomentum jets;
    for (const auto& parton : multijet(random)) jets += parton.momentum;
    EXPECT_NEAR(jets.pt(), 0, kExact);
  }
  EXPECT_NEAR(median(masses), kWMass, 0.5);
}

TEST(Detector, MeasuresJetsOfMoreEnergyBetter) {
  const auto spread = [](double energy) {
    Stream random(7);
    double sum = 0, squares = 0;
    for (int i = 0; i < 4'000; ++i) {
      const double ratio =
          measured_jet({from_pt_eta_phi(energy, 0, 1), Flavour::light}, random).pt() / energy;
      sum += ratio;
      squares += ratio * ratio;
    }
    const double mean = sum / 4'000;
    EXPECT_NEAR(mean, 0.95, 0.02);  // 5 % is radiated
    return std::sqrt(squares / 4'000 - mean * mean);
  };

  // 100 % / sqrt(E) and 6 %, and the spread of what is radiated, 5 %
  EXPECT_NEAR(spread(25), std::hypot(0.95 * std::hypot(0.2, 0.06), 0.05), 0.02);
  EXPECT_NEAR(spread(400), std::hypot(0.95 * std::hypot(0.05, 0.06), 0.05), 0.01);
}

TEST(Detector, TagsBottomQuarksMost) {
  const auto rate = [](Flavour flavour) {
    Stream random(8);
    int tags = 0;
    for (int i = 0; i < 10'000; ++i) tags += tagged(flavour, random) ? 1 : 0;
    return tags / 10'000.0;
  };
  // five standard deviations of 10,000 draws
  EXPECT_NEAR(rate(Flavour::bottom), 0.70, 0.023);
  EXPECT_NEAR(rate(Flavour::charm), 0.15, 0.018);
  EXPECT_NEAR(rate(Flavour::light), 0.02, 0.007);
}

}  // namespace
}  // namespace betatune::collisions
