#pragma once
/// Texts that nobody else has: sessions, marks, names.

#include <string>

namespace betatune {

/// 128 random bits in hex, from the kernel.
std::string random_hex();

}  // namespace betatune
