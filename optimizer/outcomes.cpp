#include "optimizer/outcomes.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <set>

namespace betatune {
namespace {

Status read_constraint(const Json& text, std::vector<Inequality>& into) {
  auto parsed = text.is_string() ? Inequality::parse(text.get<std::string>())
                                 : Error{ErrorKind::corrupt, "it is not a text"};
  if (!parsed) {
    return Error{ErrorKind::corrupt,
                 fmt::format("outcome constraint {}: {}", text.dump(), parsed.error().message)};
  }
  into.push_back(std::move(parsed).value());
  return Ok{};
}

}  // namespace

Result<Outcomes> Outcomes::of(const Json& document) {
  Outcomes out;
  if (!document.is_object()) return out;
  const auto found = document.find("outcome_constraints");
  if (found != document.end() && found->is_string()) {
    BETATUNE_CHECK(read_constraint(*found, out.constraints_));
  } else if (found != document.end()) {
    for (const Json& each : *found) BETATUNE_CHECK(read_constraint(each, out.constraints_));
  }
  const auto several = document.find("objectives");
  if (several != document.end() && several->is_array()) {
    for (std::size_t i = 1; i < several->size(); ++i) {
      const Json& each = (*several)[i];
      out.further_.push_back(
          {each.value("metric", "loss"), each.value("goal", "minimize") == "maximize"});
    }
  }
  std::set<std::string> metrics;
  for (const Inequality& each : out.constraints_) {
    metrics.insert(each.names().begin(), each.names().end());
  }
  for (const Further& each : out.further_) metrics.insert(each.metric);
  out.metrics_.assign(metrics.begin(), metrics.end());
  return out;
}

void Outcomes::remember(const Metrics& reported, Metrics& known) const {
  for (const std::string& name : metrics_) {
    const auto found = reported.find(name);
    if (found != reported.end()) known[name] = found->second;
  }
}

std::vector<double> Outcomes::read(const Metrics& known) const {
  std::vector<double> out;
  for (const Inequality& each : constraints_) out.push_back(each.slack(known));
  for (const Further& each : further_) {
    const auto found = known.find(each.metric);
    const double value =
        found == known.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
    out.push_back(each.maximize ? -value : value);
  }
  return out;
}

double Outcomes::violation(std::span<const double> outcomes) const {
  return total_violation(outcomes.first(constraints_.size()));
}

std::vector<double> Outcomes::losses(double loss, std::span<const double> outcomes) const {
  std::vector<double> out = {loss};
  const auto further = outcomes.subspan(constraints_.size());
  out.insert(out.end(), further.begin(), further.end());
  return out;
}

std::vector<std::string> Outcomes::broken(std::span<const double> outcomes) const {
  std::vector<std::string> out;
  for (std::size_t k = 0; k < std::min(outcomes.size(), constraints_.size()); ++k) {
    if (outcomes[k] > 0) out.push_back(constraints_[k].text());
  }
  return out;
}

std::string Outcomes::what_is_missing(const Metrics& known) const {
  for (const Further& each : further_) {
    if (!known.contains(each.metric)) {
      return fmt::format("ended without reporting `{}`", each.metric);
    }
  }
  for (const Inequality& each : constraints_) {
    for (const std::string& name : each.names()) {
      if (known.contains(name)) continue;
      return fmt::format("ended without reporting `{}`, which the outcome constraint `{}` is of",
                         name, each.text());
    }
    if (std::isnan(each.slack(known))) {
      return fmt::format("the outcome constraint `{}` cannot be computed from what was reported",
                         each.text());
    }
  }
  return {};
}

double total_violation(std::span<const double> slacks) {
  double sum = 0;
  for (const double slack : slacks) {
    if (std::isnan(slack)) return std::numeric_limits<double>::infinity();
    sum += std::max(0.0, slack);
  }
  return sum;
}

}  // namespace betatune
