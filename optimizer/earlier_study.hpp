#pragma once
/// Reading earlier studies to learn from (`algorithm.transfer.studies`), once, when a study begins.

#include <vector>

#include "optimizer/event.hpp"

namespace betatune {

class Diagnostics;
struct StudySpec;
struct StudyState;

/// The studies that `spec` names and `state` does not have yet. Results are those of trials that
/// ended in order, at the full budget of their study (or the highest step that any has), at most
/// 500 of each: the best third, the latest, and some of the rest. What cannot be used goes to
/// `diagnostics`: no such study, no results, another objective.
std::vector<EarlierStudyRead> read_earlier_studies(const StudySpec& spec, const StudyState& state,
                                                   Diagnostics& diagnostics);

}  // namespace betatune
