// What differs between two documents of a study, for people.

#include <set>

#include "configs/study_spec.hpp"

namespace betatune {
namespace {

std::string shown(const Json& json) {
  constexpr std::size_t kLongest = 80;
  std::string text = json.is_string() ? json.get<std::string>() : json_text(json);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::string below(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

void compare(const Json& before, const Json& after, const std::string& path,
             std::vector<std::string>& changes) {
  if (before == after) return;
  if (before.is_object() && after.is_object()) {
    std::set<std::string> keys;
    for (const auto& [key, value] : before.items()) keys.insert(key);
    for (const auto& [key, value] : after.items()) keys.insert(key);
    for (const std::string& key : keys) {
      const std::string at = below(path, key);
      if (!after.contains(key)) {
        changes.push_back(at + ": " + shown(before[key]) + " -> (removed)");
      } else if (!before.contains(key)) {
        changes.push_back(at + ": (new) -> " + shown(after[key]));
      } else {
        compare(before[key], after[key], at, changes);
      }
    }
    return;
  }
  if (before.is_array() && after.is_array() && before.size() == after.size()) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      compare(before[i], after[i], path + "[" + std::to_string(i) + "]", changes);
    }
    return;
  }
  changes.push_back(path + ": " + shown(before) + " -> " + shown(after));
}

Json comparable(Json document) {
  if (document.is_object()) {
    // Budgets are totals and may grow; the order of parameters changes no study's meaning.
    document.erase("stopping");
    document.erase("parameter_order");
  }
  return document;
}

}  // namespace

std::vector<std::string> document_changes(const Json& before, const Json& after) {
  std::vector<std::string> changes;
  compare(comparable(before), comparable(after), {}, changes);
  return changes;
}

}  // namespace betatune
