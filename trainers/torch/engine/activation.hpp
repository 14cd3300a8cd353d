#pragma once
/// What stands between the layers of the ready models.

#include "trainers/torch/engine/fields.hpp"

namespace betatune::engine {

enum class Activation { relu, gelu, tanh, silu, elu };

inline constexpr Choice<Activation> kActivations[] = {{"relu", Activation::relu},
                                                      {"gelu", Activation::gelu},
                                                      {"tanh", Activation::tanh},
                                                      {"silu", Activation::silu},
                                                      {"elu", Activation::elu}};

}  // namespace betatune::engine
