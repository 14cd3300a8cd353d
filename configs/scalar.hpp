#pragma once
/// What an unquoted YAML scalar means: YAML 1.2's core schema, and `1e-5` is a number.

#include <string>
#include <string_view>

#include "configs/node.hpp"

namespace betatune {

struct PlainScalar {
  ConfigNode::Kind kind = ConfigNode::Kind::string;
  Value value;
  std::string problem;  ///< why it cannot be taken as a number, empty if all is well
  std::string help;
};

/// Never fails: a number that cannot be taken has a `problem` and the nearest usable value, so that
/// one slip is reported once.
PlainScalar read_plain_scalar(std::string_view text);

}  // namespace betatune
