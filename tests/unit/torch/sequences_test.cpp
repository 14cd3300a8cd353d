#include <algorithm>
#include <array>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "tests/support/failure_text.hpp"
#include "trainers/torch/sequences/particles.hpp"
#include "trainers/torch/sequences/settings.hpp"

namespace betatune::sequences {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t kPlaces = 150;  // enough for all particles of an event

const collisions::Generated& sequences() {
  static const collisions::Generated made = make_events({1'500, 10, 10, 0}, kPlaces);
  return made;
}

/// The places of event i that hold a particle.
std::vector<std::span<const float>> particles(std::size_t i) {
  const auto& table = sequences().of(engine::Part::train);
  std::vector<std::span<const float>> found;
  for (std::size_t place = 0; place < static_cast<std::size_t>(kPlaces); ++place) {
    const std::span<const float> p(
        table.values.data() + (i * static_cast<std::size_t>(kPlaces) + place) * kFeatures,
        kFeatures);
    if (std::any_of(p.begin() + kFirstKind, p.end(), [](float x) { return x > 0; })) {
      found.push_back(p);
    }
  }
  return found;
}

double pt_of(std::span<const float> particle) {
  return std::exp(particle[log_pt]);
}

bool leptonic(std::span<const float> particle) {
  return particle[electron] + particle[muon] > 0;
}

TEST(Sequences, HoldParticlesByFallingPtAndNothingBehind) {
  for (std::size_t i = 0; i < 500; ++i) {
    const auto found = particles(i);
    ASSERT_LT(found.size(), static_cast<std::size_t>(kPlaces));
    for (std::size_t j = 0; j < found.size(); ++j) {
      float kinds = 0;
      for (const float kind : found[j].subspan(kFirstKind)) kinds += kind;
      ASSERT_EQ(kinds, 1);
      ASSERT_LE(found[j][log_pt], found[j == 0 ? 0 : j - 1][log_pt]);
      // Contiguous from the first place on: the rest is empty.
      ASSERT_EQ(found[j].data(), found[0].data() + j * kFeatures);
      const bool neutral = found[j][photon] + found[j][neutral_hadron] > 0;
      ASSERT_TRUE(found[j][missing_momentum] > 0 || (found[j][charge] == 0) == neutral);
    }
    const float* end = found.back().data() + kFeatures;
    const float* row = found[0].data() + static_cast<std::size_t>(kPlaces) * kFeatures;
    ASSERT_TRUE(std::all_of(end, row, [](float x) { return x == 0; }));
  }
}

TEST(Sequences, HaveALeptonAndBalanceWithTheMissingMomentum) {
  for (std::size_t i = 0; i < 500; ++i) {
    double along = 0, across = 0, missing = 0;
    bool lepton = false;
    for (const auto& p : particles(i)) {
      if (p[missing_momentum] > 0) {
        missing += pt_of(p);
        ASSERT_EQ(p[phi], 0);
        continue;
      }
      along += pt_of(p) * std::cos(p[phi]);
      across += pt_of(p) * std::sin(p[phi]);
      lepton |= leptonic(p) && pt_of(p) > 9.99;
    }
    ASSERT_TRUE(lepton);
    // single precision, of sums of hundreds of GeV
    ASSERT_NEAR(along, -missing, 0.01);
    ASSERT_NEAR(across, 0, 0.01);
  }
}

struct Content {
  double events = 0, particles = 0, missing = 0, isolated = 0;
};

/// isolated: the hardest lepton has less than a fifth of its pt beside it (within 0.4).
Content content_of(Topology topology) {
  const auto& labels = sequences().of(engine::Part::train).labels;
  Content sum;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != static_cast<std::int64_t>(topology)) continue;
    const auto found = particles(i);
    const auto lepton = *std::find_if(found.begin(), found.end(), leptonic);
    double beside = 0;
    for (const auto& p : found) {
      if (p[missing_momentum] > 0) sum.missing += pt_of(p);
      const double distance =
          std::hypot(p[eta] - lepton[eta], std::remainder(p[phi] - lepton[phi], 2 * M_PI));
      const bool other = p.data() != lepton.data() && p[missing_momentum] == 0;
      if (other && distance < 0.4) beside += pt_of(p);
    }
    sum.events += 1;
    sum.particles += static_cast<double>(found.size());
    sum.isolated += beside < 0.2 * pt_of(lepton) ? 1 : 0;
  }
  return {sum.events, sum.particles / sum.events, sum.missing / sum.events,
          sum.isolated / sum.events};
}

TEST(Sequences, TopologiesDifferInTheirContent) {
  const Content jets = content_of(Topology::multijet), w = content_of(Topology::w_and_jets),
                tops = content_of(Topology::top_pair);

  // a third of 1,500, five standard deviations
  for (const double events : {jets.events, w.events, tops.events}) EXPECT_NEAR(events, 500, 92);
  EXPECT_GT(tops.particles, 1.3 * std::max(jets.particles, w.particles));
  EXPECT_GT(std::min(w.missing, tops.missing), 2 * jets.missing);
  EXPECT_GT(w.isolated, 0.7);
  EXPECT_LT(jets.isolated, 0.4);
  // None gives itself away: other topologies have leptons alone, and missing momentum, too.
  EXPECT_GT(jets.isolated, 0.01);
  EXPECT_LT(w.isolated, 0.99);
}

TEST(Sequences, LeaveOutTheSoftestWhereThereIsNoPlace) {
  const auto whole = make_events({20, 1, 1, 0}, 60), cut = make_events({20, 1, 1, 0}, 5);
  const auto& all = whole.of(engine::Part::train).values;
  const auto& few = cut.of(engine::Part::train).values;
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(std::equal(few.begin() + static_cast<long>(i * 5 * kFeatures),
                           few.begin() + static_cast<long>((i + 1) * 5 * kFeatures),
                           all.begin() + static_cast<long>(i * 60 * kFeatures)));
  }
}

TEST(SequencesSettings, HaveDefaultsAndNamesInErrors) {
  const Settings s = read_settings("{}", "null");
  EXPECT_EQ(s.hidden, 32);
  EXPECT_EQ(s.max_particles, 24);
  const auto problem = [](const char* params, const char* config) {
    return support::failure_text([&] { read_settings(params, config); });
  };
  EXPECT_THAT(problem(R"({"kernel": 3})", "{}"), HasSubstr("unknown parameter `kernel`"));
  EXPECT_THAT(problem(R"({"layers": 0})", "{}"),
              AllOf(HasSubstr("`layers` is 0"), HasSubstr("from 1 to 16")));
  EXPECT_THAT(problem("{}", R"({"max_particle": 5})"), HasSubstr("`max_particles`"));
  EXPECT_NE(training_identity(s), training_identity(read_settings(R"({"hidden": 33})", "")));
  EXPECT_NE(training_identity(s), training_identity(read_settings("", R"({"max_particles": 9})")));
}

}  // namespace
}  // namespace betatune::sequences
