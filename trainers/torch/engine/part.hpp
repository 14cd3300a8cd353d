#pragma once

namespace betatune::engine {

/// The parts of a data set: learnt from, compared by, and looked at in the end.
enum class Part { train = 0, validation = 1, test = 2 };

}  // namespace betatune::engine
