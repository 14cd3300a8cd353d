#pragma once
/// Names that nobody else has.

#include <string>

namespace betatune {

/// 128 random bits in hex, from the kernel.
std::string random_hex();
/// host-process-xxxx
std::string trainer_name();

}  // namespace betatune
