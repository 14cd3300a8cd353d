#pragma once
/// Exceptions of libtorch as failures of a trial.

#include <c10/util/Exception.h>
#include <string>

#include "trainers/trainer.hpp"

namespace betatune::engine {

/// errors always: plugin::Failure with the first line of libtorch's text; memory that ran out is
/// BETATUNE_OOM
[[noreturn]] void rethrow(const std::string& text, bool known_oom);

/// Runs `call`; libtorch's exceptions become plugin::Failure.
template <class F>
auto guarded(F call) {
  try {
    return call();
  } catch (const c10::OutOfMemoryError& e) {
    rethrow(e.what_without_backtrace(), true);
  } catch (const c10::Error& e) {
    rethrow(e.what_without_backtrace(), false);
  }
}

}  // namespace betatune::engine
