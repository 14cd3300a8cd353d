#pragma once
/// Events as in the HIGGS data set, made here: it has 8 GB, is not to be had everywhere, and a
/// benchmark needs no more than its structure. Two processes with the same particles in the end,
/// which differ by the masses in between.

#include <cstdint>
#include <span>

#include "trainers/torch/collisions/generated.hpp"
#include "trainers/torch/higgs/features.hpp"

namespace betatune::higgs {

/// An event that the detector accepts: a lepton and four jets above 20 GeV within |eta| < 2.5, the
/// lepton apart from the jets, two jets or more tagged. Half of them are signal.
///
/// features  overwritten
/// returns   1 signal (Higgs cascade), 0 background (top pair)
std::int64_t make_event(std::uint64_t key, std::span<float, kFeatures> features);

collisions::Generated make_events(const collisions::DataSettings& settings);

}  // namespace betatune::higgs
