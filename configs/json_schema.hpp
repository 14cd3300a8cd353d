#pragma once
/// The study file as a JSON Schema (draft 2020-12), for editors and for the tables of
/// docs/study-file.md. Made from the same field lists that the reader uses, so it cannot drift.

#include <string>

#include "searchspaces/value.hpp"

namespace betatune {

/// The options of searchers and schedulers are open: optimizer/study_schema.hpp adds them.
Json study_schema();

}  // namespace betatune
