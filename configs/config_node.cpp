// The tree itself: reading it, making it from JSON and back. Nothing here knows YAML's syntax.

#include <algorithm>

#include "configs/node_data.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;
using Data = ConfigNodeBuilder::Data;

ConfigNode node_from_json(const Json& json, const Mark& mark, int depth) {
  Data data;
  data.mark = mark;
  // Only a log that was tampered with is deeper than any study file can be.
  if (depth > limits::kYamlDepth) return ConfigNodeBuilder::make(std::move(data));
  if (json.is_object()) {
    data.kind = Kind::mapping;
    for (const auto& [key, value] : json.items()) {
      data.entries.push_back({key, mark, node_from_json(value, mark, depth + 1)});
    }
  } else if (json.is_array()) {
    data.kind = Kind::sequence;
    for (const Json& item : json) data.items.push_back(node_from_json(item, mark, depth + 1));
  } else if (const auto value = value_from_json(json)) {
    constexpr Kind kKinds[] = {Kind::boolean, Kind::integer, Kind::real, Kind::string};
    data.kind = kKinds[value.value().index()];
    data.value = value.value();
    data.text = to_text(value.value());
  }
  return ConfigNodeBuilder::make(std::move(data));
}

}  // namespace

ConfigNode::ConfigNode() {
  static const std::shared_ptr<const Data> kNull = std::make_shared<const Data>();
  data_ = kNull;
}

ConfigNode ConfigNode::from_json(const Json& json, const std::string& file_name) {
  return node_from_json(json, Mark{file_name, 0, 0, 1}, 0);
}

ConfigNode::Kind ConfigNode::kind() const {
  return data_->kind;
}
const Mark& ConfigNode::mark() const {
  return data_->mark;
}
const std::string& ConfigNode::text() const {
  return data_->text;
}
const std::vector<ConfigNode>& ConfigNode::items() const {
  return data_->items;
}
const std::vector<ConfigNode::Entry>& ConfigNode::entries() const {
  return data_->entries;
}

Mark ConfigNode::mark_at(std::size_t offset, int length) const {
  Mark mark = data_->mark;
  if (mark.line == 0) return mark;
  // A block scalar (`|`, `>`) begins on a later line; its mark is as near as one can say.
  if (data_->text_offset < 0 || data_->text.find('\n') != std::string::npos) return mark;
  mark.column += data_->text_offset + static_cast<int>(std::min(offset, data_->text.size()));
  mark.length = length;
  return mark;
}

const Value& ConfigNode::value() const {
  BETATUNE_ASSERT(kind() != Kind::null);
  BETATUNE_ASSERT(kind() != Kind::sequence);
  BETATUNE_ASSERT(kind() != Kind::mapping);
  return data_->value;
}

const ConfigNode* ConfigNode::find(std::string_view key) const {
  for (const Entry& entry : data_->entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

ConfigNode ConfigNode::without(const std::vector<std::string>& keys) const {
  if (kind() != Kind::mapping) return *this;
  Data data = *data_;
  std::erase_if(data.entries, [&](const Entry& entry) {
    return std::find(keys.begin(), keys.end(), entry.key) != keys.end();
  });
  return ConfigNodeBuilder::make(std::move(data));
}

Json ConfigNode::to_json() const {
  switch (kind()) {
    case Kind::null:
      return nullptr;
    case Kind::sequence: {
      Json json = Json::array();
      for (const ConfigNode& item : items()) json.push_back(item.to_json());
      return json;
    }
    case Kind::mapping: {
      Json json = Json::object();
      for (const Entry& entry : entries()) json[entry.key] = entry.value.to_json();
      return json;
    }
    default:
      return betatune::to_json(data_->value);
  }
}

std::string_view ConfigNode::describe() const {
  switch (kind()) {
    case Kind::null:
      return "nothing";
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "an integer";
    case Kind::real:
      return "a number";
    case Kind::string:
      return "a string";
    case Kind::sequence:
      return "a sequence";
    case Kind::mapping:
      return "a mapping";
  }
  return "something else";
}

}  // namespace betatune
