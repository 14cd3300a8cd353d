#pragma once
/// Whose work this is: the name of the account that the process runs under.

#include <optional>
#include <string>

namespace betatune {

/// Nothing where the account has no name, as in some containers.
std::optional<std::string> account_name();

}  // namespace betatune
