#pragma once

namespace betatune {

/// "0.1.0": of this build; recorded with every study it writes.
const char* build_version();

}  // namespace betatune
