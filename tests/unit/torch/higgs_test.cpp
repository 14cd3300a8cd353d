#include <algorithm>
#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "tests/support/failure_text.hpp"
#include "trainers/torch/engine/auc.hpp"
#include "trainers/torch/higgs/events.hpp"
#include "trainers/torch/higgs/settings.hpp"

namespace betatune::higgs {
namespace {

using collisions::FourMomentum;
using collisions::Generated;
using collisions::Table;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Generated& events() {
  static const Generated made = make_events({8'000, 8'000, 10, 0});
  return made;
}

std::span<const float, kFeatures> row(const Table& table, std::size_t i) {
  return std::span<const float, kFeatures>(table.values.data() + i * kFeatures, kFeatures);
}

/// Of the events of a class: the fraction with a feature between two values.
double fraction(std::int64_t label, Feature feature, double low, double high) {
  const Table& table = events().of(engine::Part::train);
  double all = 0, between = 0;
  for (std::size_t i = 0; i < table.labels.size(); ++i) {
    if (table.labels[i] != label) continue;
    all += 1;
    if (row(table, i)[feature] > low && row(table, i)[feature] < high) between += 1;
  }
  return between / all;
}

TEST(HiggsEvents, AreThoseThatTheDetectorAccepts) {
  const Table& table = events().of(engine::Part::train);
  double signal = 0;
  for (std::size_t i = 0; i < table.labels.size(); ++i) {
    const auto event = row(table, i);
    signal += static_cast<double>(table.labels[i]);
    float tags = 0;
    ASSERT_GT(event[lepton_pt], 20);
    ASSERT_LT(std::abs(event[lepton_eta]), 2.5);
    for (std::size_t jet = 0; jet < kJets; ++jet) {
      const auto place = event.subspan(first_jet + kJetFeatures * jet, kJetFeatures);
      ASSERT_GT(place[0], 20);
      ASSERT_LT(std::abs(place[1]), 2.5);
      ASSERT_LE(place[0], event[first_jet + kJetFeatures * (jet == 0 ? 0 : jet - 1)]);
      tags += place[3];
    }
    ASSERT_GE(tags, 2);
  }
  // half of 8,000, five standard deviations
  EXPECT_NEAR(signal / static_cast<double>(table.labels.size()), 0.5, 0.028);
}

TEST(HiggsEvents, DerivedMassesAreComputedOfTheLowLevelFeatures) {
  const Table& table = events().of(engine::Part::validation);
  for (std::size_t i = 0; i < 1'000; ++i) {
    const auto again = derive(row(table, i).first<kLowLevel>());
    ASSERT_TRUE(std::equal(again.begin(), again.end(), row(table, i).begin() + kLowLevel));
  }
}

TEST(HiggsEvents, MassesPeakWhereTheParticlesAre) {
  // Signal: the light Higgs boson in m_bb (jets lose some energy), the charged one in m_wbb, the
  // heavy one in m_wwbb. Background: tops in m_jjj and m_jlv.
  EXPECT_GT(fraction(1, m_bb, 95, 135), 0.55);
  EXPECT_LT(fraction(0, m_bb, 95, 135), 0.30);
  EXPECT_GT(fraction(1, m_wbb, 280, 350), 0.45);
  EXPECT_LT(fraction(0, m_wbb, 280, 350), 0.33);
  EXPECT_GT(fraction(1, m_wwbb, 380, 460), 0.45);
  EXPECT_LT(fraction(0, m_wwbb, 380, 460), 0.33);
  EXPECT_GT(fraction(0, m_jlv, 150, 195), 1.2 * fraction(1, m_jlv, 150, 195));
  EXPECT_GT(fraction(0, m_jjj, 145, 190), 1.2 * fraction(1, m_jjj, 145, 190));
  // Both have W bosons, and the neutrino is chosen to give one where it can.
  for (const std::int64_t label : {0, 1}) {
    EXPECT_GT(fraction(label, m_lv, 80, 81), 0.6);
    EXPECT_GT(fraction(label, m_jj, 60, 100), 0.4);
  }
}

/// An event as a perfect detector would see it.
std::array<float, kLowLevel> exactly(const collisions::SemileptonicEvent& event) {
  std::array<float, kLowLevel> low{};
  const auto put = [&](std::size_t at, double x) { low[at] = static_cast<float>(x); };
  put(lepton_pt, event.lepton.pt());
  put(lepton_eta, event.lepton.eta());
  put(lepton_phi, event.lepton.phi());
  put(missing_energy, event.neutrino.pt());
  put(missing_phi, event.neutrino.phi());
  for (std::size_t i = 0; i < kJets; ++i) {
    const FourMomentum& jet = event.partons[i].momentum;
    put(first_jet + kJetFeatures * i, jet.pt());
    put(first_jet + kJetFeatures * i + 1, jet.eta());
    put(first_jet + kJetFeatures * i + 2, jet.phi());
    put(first_jet + kJetFeatures * i + 3, event.partons[i].flavour == collisions::Flavour::bottom);
  }
  return low;
}

/// One whose four jets are above 20 GeV, as the detector wants them.
template <class Process>
std::array<float, kLowLevel> exact_event(Process process, engine::Stream& random) {
  for (;;) {
    const auto event = process(random);
    if (std::all_of(event.partons.begin(), event.partons.begin() + kJets,
                    [](const auto& parton) { return parton.momentum.pt() > 20; })) {
      return exactly(event);
    }
  }
}

TEST(HiggsEvents, MassesOfAnExactEventAreTheTrueOnes) {
  engine::Stream random(1);
  int tops = 0, charged = 0;
  for (int i = 0; i < 500; ++i) {
    const auto top = derive(exact_event(collisions::top_pair, random));
    const auto higgs = derive(exact_event(collisions::higgs_cascade, random));
    const auto mass = [](const auto& masses, Feature f) { return masses[f - kLowLevel]; };
    // Jets are taken for massless, which costs b quarks (4.7 GeV) above 20 GeV little.
    EXPECT_NEAR(mass(higgs, m_bb), collisions::kLightHiggsMass, 3);
    EXPECT_NEAR(mass(top, m_jj), collisions::kWMass, 5 * 2.1 + 0.1);
    tops += std::abs(mass(top, m_jjj) - collisions::kTopMass) < 8 ? 1 : 0;
    charged += std::abs(mass(higgs, m_wbb) - collisions::kChargedHiggsMass) < 16 ? 1 : 0;
  }
  EXPECT_GT(tops, 450);     // else the other pairing looks more like two tops
  EXPECT_GT(charged, 250);  // the neutrino has two solutions
}

TEST(HiggsEvents, AreFunctionsOfSeedPartAndNumber) {
  const auto few = make_events({50, 20, 20, 0}), more = make_events({80, 20, 20, 0});
  const auto other = make_events({50, 20, 20, 1});
  const auto& values = few.of(engine::Part::train).values;

  EXPECT_TRUE(
      std::equal(values.begin(), values.end(), more.of(engine::Part::train).values.begin()));
  EXPECT_EQ(few.of(engine::Part::test).values, more.of(engine::Part::test).values);
  EXPECT_NE(few.checksum, more.checksum);
  EXPECT_NE(few.checksum, other.checksum);
  EXPECT_EQ(few.checksum, make_events({50, 9, 9, 0}).checksum);
  EXPECT_NE(few.of(engine::Part::validation).values, few.of(engine::Part::test).values);
}

/// A small classifier: each feature alone, cut into 20 bins of equal numbers of events, says how
/// much likelier signal is; what they say is added up (naive Bayes).
double separation(std::size_t begin, std::size_t end) {
  constexpr std::size_t kBins = 20;
  const Table& train = events().of(engine::Part::train);
  const Table& test = events().of(engine::Part::validation);
  std::vector<double> sums(test.labels.size(), 0.0);
  for (std::size_t f = begin; f < end; ++f) {
    std::vector<float> sorted;
    for (std::size_t i = 0; i < train.labels.size(); ++i) sorted.push_back(row(train, i)[f]);
    std::sort(sorted.begin(), sorted.end());
    const auto bin = [&](float x) {
      const auto rank = std::lower_bound(sorted.begin(), sorted.end(), x) - sorted.begin();
      return std::min(static_cast<std::size_t>(rank) * kBins / sorted.size(), kBins - 1);
    };
    std::array<std::array<double, kBins>, 2> counts{};
    for (auto& of_class : counts) of_class.fill(1);
    for (std::size_t i = 0; i < train.labels.size(); ++i) {
      counts[static_cast<std::size_t>(train.labels[i])][bin(row(train, i)[f])] += 1;
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::size_t b = bin(row(test, i)[f]);
      sums[i] += std::log(counts[1][b] / counts[0][b]);
    }
  }
  return engine::area_under_curve(sums, test.labels);
}

TEST(HiggsEvents, DerivedMassesHelpASmallClassifier) {
  const double low = separation(0, kLowLevel), high = separation(kLowLevel, kFeatures);

  EXPECT_GT(low, 0.52);  // momenta differ a little
  EXPECT_LT(low, 0.70);
  EXPECT_GT(high, 0.72);  // and masses more, but overlap
  EXPECT_LT(high, 0.92);
}

TEST(HiggsSettings, HaveDefaultsAndNamesInErrors) {
  const Settings s = read_settings("{}", "null");
  EXPECT_EQ(s.layers, 4);
  EXPECT_EQ(s.activation, engine::Activation::tanh);
  EXPECT_EQ(s.data.train_samples, 50'000);
  const auto problem = [](const char* params, const char* config) {
    return support::failure_text([&] { read_settings(params, config); });
  };
  EXPECT_THAT(problem(R"({"channels": 3})", "{}"), HasSubstr("unknown parameter `channels`"));
  EXPECT_THAT(problem(R"({"layers": 33})", "{}"),
              AllOf(HasSubstr("`layers` is 33"), HasSubstr("from 0 to 32")));
  EXPECT_THAT(problem("{}", R"({"features": "most"})"), HasSubstr("one of all, low, high"));
  EXPECT_THAT(problem("{}", R"({"train_sample": 5})"), HasSubstr("`train_samples`"));
}

TEST(HiggsSettings, IdentityTellsTrainingsApart) {
  const auto identity = [](const char* params, const char* config) {
    return training_identity(read_settings(params, config));
  };
  EXPECT_EQ(identity("{}", "{}"), identity(R"({"layers": 4})", R"({"train_samples": 9})"));
  EXPECT_NE(identity("{}", "{}"), identity(R"({"hidden": 101})", "{}"));
  EXPECT_NE(identity("{}", "{}"), identity("{}", R"({"features": "low"})"));
}

}  // namespace
}  // namespace betatune::higgs
