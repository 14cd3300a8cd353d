#pragma once
/// The study file as a JSON Schema (draft 2020-12), for editors and for the tables of
/// docs/study-file.md. Made from the same field lists that the reader uses, so it cannot drift.

#include <string>

#include "searchspaces/value.hpp"

namespace betatune {

/// What `betatune schema` prints.
Json study_schema();

}  // namespace betatune
