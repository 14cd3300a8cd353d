#pragma once
/// The JSON Schema of study files, with what the registries know beside what configs/ knows: the
/// names of searchers, schedulers and launchers, and the options of each.

#include "searchspaces/value.hpp"

namespace betatune {

/// What `betatune schema` prints. Names that are not registered are let through: another version
/// may know them.
Json full_study_schema();

}  // namespace betatune
