#pragma once
/// How the makers of searchers read their options.

#include "configs/read.hpp"

namespace betatune {

/// Reads the mapping that stands beside `name:`; a node that is null leaves the defaults.
template <class Options>
bool read_options(const ConfigNode& node, Diagnostics& diagnostics, Options& options) {
  return node.is_null() || read_config(node, "algorithm", diagnostics, options);
}

}  // namespace betatune
