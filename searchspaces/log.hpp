#pragma once
/// The program's talk: spdlog on stderr, so that stdout stays data.

#include <spdlog/spdlog.h>

namespace betatune {

/// The process-wide logger (thread safe). Level from BETATUNE_LOG (trace, debug, info, warn, error,
/// off), `warn` if unset.
spdlog::logger& log();

}  // namespace betatune
