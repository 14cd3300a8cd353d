#pragma once
#include <string>

#include "trainers/trainer.hpp"

namespace betatune::support {

/// The text of the plugin::Failure that `call` throws; "" if it throws none.
template <class F>
std::string failure_text(F call) {
  try {
    call();
  } catch (const plugin::Failure& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace betatune::support
