#pragma once
/// Where the local search stands: the region round the best result in which its model is believed.
/// Nothing of it is stored: it follows from the results and from the notes of the trials that it
/// suggested, so it survives restarts and is the same on replay.

#include <cstddef>
#include <optional>

#include "optimizer/gp/observations.hpp"

namespace betatune {

/// `origin` of the trials that the local search suggests.
inline constexpr const char* kLocalOrigin = "local";

/// What a local trial remembers, as the note of its TrialCreated.
struct LocalNote {
  double radius = 0;     ///< of the region, in the unit cube
  double predicted = 0;  ///< decrease of the loss that the model expected
  double deviation = 0;  ///< of that expectation
  double reach = 0;      ///< largest coordinate of the step, in radii
  double from = 0;       ///< loss at the centre

  Json to_json() const;
  /// Nothing if the trial is not a local one.
  static std::optional<LocalNote> of(const Trial& trial);
};

struct TrustRegion {
  std::optional<std::size_t> centre;  ///< trial of the lowest loss that breaks no limit
  double loss = 0;                    ///< its loss
  double radius = 0;
  std::int64_t local = 0, others = 0;  ///< trials that ended, by who suggested them
  /// How often each kind of trial gave a new best that is worth the name, lately.
  double local_rate = 0.5, other_rate = 0.5;
  /// The last local steps promised nothing worth a trial.
  bool converged = false;
};

/// The region after all results of the history. A decrease counts as worth a trial if it is a ten
/// thousandth of what separates the median result from the best. data: of that history; where its
/// losses are expected ones, they count.
TrustRegion fold_trust_region(const History& history, const Observations& data);

}  // namespace betatune
