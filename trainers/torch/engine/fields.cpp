#include "trainers/torch/engine/fields.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "trainers/trainer.hpp"

namespace betatune::engine {
namespace {

using Json = nlohmann::json;

[[noreturn]] void error(const std::string& text) {
  throw plugin::Failure(BETATUNE_ERROR, text);
}

std::string number(double x) {
  return Json(x).dump();
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

Fields::Fields(const std::string& json, std::string what) : what_(std::move(what)) {
  auto parsed = Json::parse(json.empty() ? "{}" : json, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_null()) parsed = Json::object();
  if (!parsed.is_object()) error("expected a JSON object of " + what_ + "s, got: " + json);
  object_ = std::make_unique<const Json>(std::move(parsed));
}

Fields::~Fields() = default;

const Json* Fields::find(const std::string& name) {
  known_[name] = "";
  const auto found = object_->find(name);
  return found == object_->end() ? nullptr : &*found;
}

double Fields::real(const char* name, double fallback, double min, double max) {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) fail(name, value->dump() + "; it must be a number");
  const double x = value->get<double>();
  if (!(x >= min && x <= max)) {
    fail(name, number(x) + "; it must be from " + number(min) + " to " + number(max));
  }
  return x;
}

std::int64_t Fields::integer(const char* name, std::int64_t fallback, std::int64_t min,
                             std::int64_t max) {
  return optional_integer(name, min, max).value_or(fallback);
}

std::optional<std::int64_t> Fields::optional_integer(const char* name, std::int64_t min,
                                                     std::int64_t max) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const bool whole = value->is_number() && std::trunc(value->get<double>()) == value->get<double>();
  const double x = whole ? value->get<double>() : 0;
  if (!whole || x < static_cast<double>(min) || x > static_cast<double>(max)) {
    fail(name, value->dump() + "; it must be a whole number from " + std::to_string(min) + " to " +
                   std::to_string(max));
  }
  return static_cast<std::int64_t>(x);
}

bool Fields::boolean(const char* name, bool fallback) {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail(name, value->dump() + "; it must be true or false");
  return value->get<bool>();
}

std::string Fields::text(const char* name, const std::string& fallback) {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_string()) fail(name, value->dump() + "; it must be a text");
  return value->get<std::string>();
}

std::string Fields::object(const char* name) {
  const Json* value = find(name);
  if (value == nullptr || value->is_null()) return "{}";
  if (!value->is_object()) fail(name, value->dump() + "; it must be a mapping");
  return value->dump();
}

std::string Fields::with_prefix(const std::string& prefix) {
  Json found = Json::object();
  for (const auto& [name, value] : object_->items()) {
    if (name.rfind(prefix, 0) != 0) continue;
    known_[name] = "";
    found[name.substr(prefix.size())] = value;
  }
  return found.dump();
}

std::optional<std::size_t> Fields::choice_index(const char* name,
                                                std::span<const std::string_view> names) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  std::string allowed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (*value == names[i]) return i;
    allowed += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  fail(name, value->dump() + "; it must be one of " + allowed);
}

bool Fields::branch(const char* selector, const char* value, bool selected,
                    std::initializer_list<const char*> keys) {
  if (selected) return true;
  for (const char* key : keys) {
    known_[key] = "has an effect with " + std::string(selector) + ": " + value +
                  " alone; give it `when: {" + selector + ": " + value + "}` in the study file";
  }
  return false;
}

void Fields::finish() const {
  for (const auto& [name, value] : object_->items()) {
    const auto known = known_.find(name);
    if (known != known_.end() && known->second.empty()) continue;
    if (known != known_.end()) error(what_ + " `" + name + "` " + known->second);
    const auto nearest = std::min_element(
        known_.begin(), known_.end(), [&name = name](const auto& a, const auto& b) {
          return edit_distance(name, a.first) < edit_distance(name, b.first);
        });
    std::string text = "unknown " + what_ + " `" + name + "`";
    if (nearest != known_.end() && edit_distance(name, nearest->first) <= 1 + name.size() / 3) {
      text += "; did you mean `" + nearest->first + "`?";
    } else {
      text += "; there are:";
      for (const auto& [other, why] : known_) text += ' ' + other;
    }
    error(text);
  }
}

void Fields::fail(const std::string& name, const std::string& problem) const {
  error(what_ + " `" + name + "` is " + problem);
}

}  // namespace betatune::engine
