#pragma once
/// How a trial's learning curve is expected to go on, by the model from which the searchers know
/// what half-trained trials will end in.

#include <vector>

#include "optimizer/replay.hpp"

namespace betatune {

struct ExpectedPoint {
  Step step = 0;
  double loss = 0, loss_low = 0, loss_high = 0;  ///< at the mean, one deviation below and above
  std::int64_t trials = 0;  ///< that went from the point before to this one, and taught it
};

/// Beyond the trial's last loss at one of the model's levels (CurveTable), as far as others have
/// gone: nobody can say more. Empty for a trial that was trained to the end, failed, repeats
/// another one or has no loss; and where curves are not modelled.
std::vector<ExpectedPoint> expected_curve(const StudySpec& spec, const TrialTable& trials,
                                          TrialId trial);

/// The same of the whole log. Errors: the store's; corrupt; invalid_argument if this version cannot
/// read the recorded study file.
Result<std::vector<ExpectedPoint>> read_expected_curve(
    const StudyStore& store, TrialId trial, const SpecOfDocument& spec_of = spec_of_document);

}  // namespace betatune
