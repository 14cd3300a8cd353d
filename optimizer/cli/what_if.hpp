#pragma once
/// `betatune simulate --from STUDY`: a recorded study under other schedulers.

#include <string>
#include <vector>

namespace betatune {

struct WhatIfOptions {
  std::string study;
  std::vector<std::string> schedulers;  ///< empty: all that take the study
  int workers = 1;
  bool json = false;
};

/// Prints a row per scheduler; returns the exit code.
int show_what_if(const WhatIfOptions& options);

}  // namespace betatune
