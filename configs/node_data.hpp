#pragma once
/// The inside of a ConfigNode, for the files that build one.

#include <string>
#include <vector>

#include "configs/node.hpp"

namespace betatune {

struct ConfigNode::Data {
  Kind kind = Kind::null;
  Mark mark;
  Value value;
  std::string text;
  int text_offset = 0;  ///< bytes from the mark to the text: 1 behind an opening quote
  std::vector<ConfigNode> items;
  std::vector<Entry> entries;
};

struct ConfigNodeBuilder {
  using Data = ConfigNode::Data;
  static ConfigNode make(Data data) {
    return ConfigNode(std::make_shared<const Data>(std::move(data)));
  }
  static const Data& look(const ConfigNode& node) { return *node.data_; }
};

}  // namespace betatune
