#pragma once
/// The other program, betatune-trainer: where it is, and what it says of a plug-in. The optimizer
/// itself never loads one: whatever its code does on loading, it cannot reach a study.

#include <string>

#include "searchspaces/result.hpp"

namespace betatune {

/// Path of betatune-trainer: beside this program, else in PATH. Errors: not_found.
Result<std::string> find_trainer_program();

/// Loads the plug-in in a process of its own and looks at its interface. Errors: invalid_argument
/// with what that process said (missing, not a plug-in, another ABI), not_found (no program).
Status check_plugin(const std::string& name_or_path);

}  // namespace betatune
