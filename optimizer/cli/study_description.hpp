#pragma once
/// What a study file means, spelt out: its space as a table, its budget and policies, three draws.

#include <string>

#include "configs/study_spec.hpp"

namespace betatune {

/// Sections of lines, for people.
std::string description_text(const StudySpec& spec);
/// The same as "betatune.check/1".
Json description_json(const StudySpec& spec);

}  // namespace betatune
