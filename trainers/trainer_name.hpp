#pragma once
/// Names that nobody else has.

#include <string>

namespace betatune {

/// host-process-xxxx
std::string trainer_name();
/// KEY/name: with a key a trainer speaks for itself alone. Names that say so already stay.
std::string name_with_key(const std::string& key, const std::string& name);

}  // namespace betatune
