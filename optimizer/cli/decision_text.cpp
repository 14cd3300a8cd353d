#include "optimizer/cli/decision_text.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/cli/rungs.hpp"

namespace betatune {
namespace {

/// The loss that a result was compared by; nothing if it was by fronts, or by the limits that it
/// breaks.
std::optional<double> loss_of(const RungResult& result, const Objective& objective) {
  const bool by_loss = objective.all.size() == 1 && result.violation == 0;
  return by_loss && std::isfinite(result.merit) ? std::optional(result.merit) : std::nullopt;
}

std::optional<double> cut_of(const RungDecision& it, const Objective& objective) {
  if (!it.standing || !it.standing->at.cut || it.verdict == RungVerdict::finished) {
    return std::nullopt;
  }
  return loss_of(*it.standing->at.cut, objective);
}

std::string place_text(const RungPlace& at) {
  return fmt::format("{} of {}", ordinal(at.place), at.results);
}

/// "the best 3 go on (loss = 0.42 or better)"
std::string quota_text(const RungDecision& it, const Objective& objective) {
  const RungPlace& at = it.standing->at;
  if (at.quota == 0) {
    return it.verdict == RungVerdict::passed ? "too few to compare" : "nobody goes on yet";
  }
  std::string text = at.quota == 1 ? std::string("the best one goes on")
                                   : fmt::format("the best {} go on", at.quota);
  if (const auto cut = cut_of(it, objective)) {
    text +=
        fmt::format(" ({} = {} or better)", objective.metric, short_number(objective.value(*cut)));
  }
  return text;
}

/// Which others it is compared with.
std::string bracket_text(const RungStanding& standing) {
  std::string text;
  if (standing.bracket) text = fmt::format("bracket {}", *standing.bracket + 1);
  if (standing.awaited > 0) {
    text += fmt::format("{}{} more to come", text.empty() ? "" : ", ", standing.awaited);
  }
  return text;
}

std::string standing_text(const RungDecision& it, const Objective& objective) {
  if (!it.standing) return {};
  std::string text = place_text(it.standing->at);
  if (it.verdict != RungVerdict::finished) text += ", " + quota_text(it, objective);
  const std::string bracket = bracket_text(*it.standing);
  return bracket.empty() ? text : fmt::format("{} [{}]", text, bracket);
}

std::string headline(const RungDecision& it, const std::string& step) {
  const std::uint64_t trial = it.trial.n;
  switch (it.verdict) {
    case RungVerdict::paused:
      return fmt::format("trial {} paused at {} {}", trial, step, it.step);
    case RungVerdict::went_on:
      return fmt::format("trial {} went on from {} {} to {}", trial, step, it.step,
                         it.until.value_or(it.step));
    case RungVerdict::passed:
      return fmt::format("trial {} passed {} {}", trial, step, it.step);
    case RungVerdict::stopped:
      return fmt::format("trial {} stopped at {} {}", trial, step, it.step);
    case RungVerdict::replaced:
      return fmt::format("trial {} ended at {} {} for a copy, trial {}", trial, step, it.step,
                         it.copy.value_or(TrialId{}).n);
    case RungVerdict::not_taken:
      return fmt::format("trial {} ended where it was paused, at {} {}", trial, step, it.step);
    case RungVerdict::finished:
      break;
  }
  return fmt::format("trial {} came to the last rung, {} {}", trial, step, it.step);
}

/// Where seconds are what training costs.
std::string price_text(const std::optional<double>& seconds, const Objective& objective) {
  if (!seconds) return {};
  return fmt::format(" at {} s for each {}", short_number(*seconds), objective.step);
}

std::string basis_text(const ModelBasis& it, const Objective& objective) {
  const double a = objective.value(it.loss_low), b = objective.value(it.loss_high);
  std::string text = fmt::format(
      "the model expects {} about {} ({} to {}) at the end, where {} is the best; log improvement "
      "for its price {}{}, of a new trial {}{}",
      objective.metric, short_number(objective.value(it.loss)), short_number(std::min(a, b)),
      short_number(std::max(a, b)), short_number(objective.value(it.best)),
      short_number(it.log_worth), price_text(it.seconds, objective), short_number(it.log_worth_new),
      price_text(it.seconds_new, objective));
  if (!it.rival) return text;
  return text + fmt::format(", of paused trial {} {}{}", it.rival->trial.n,
                            short_number(it.rival->log_worth),
                            price_text(it.rival->seconds, objective));
}

std::string basis_text(const MedianBasis& it, const Objective& objective) {
  const auto number = [&](double loss) {
    return std::isfinite(loss) ? short_number(objective.value(loss))
                               : std::string("(breaks outcome constraints)");
  };
  return fmt::format("its best {}, the median of {} trials {}", number(it.best), it.trials,
                     number(it.median));
}

std::string basis_text(const LeapBasis& it, const Objective&) {
  return fmt::format(
      "to see how it ends: it is unlike all that were trained to the end (distance {} from the "
      "nearest, where a choice that differs is 1)",
      short_number(it.distance));
}

std::string basis_text(std::monostate, const Objective&) {
  return {};
}

/// Whether something else promised more for its price.
bool passes_over_better(const DecisionBasis& basis) {
  const auto* model = std::get_if<ModelBasis>(&basis);
  if (model == nullptr) return false;
  return model->log_worth_new > model->log_worth ||
         (model->rival && model->rival->log_worth > model->log_worth);
}

std::string why_text(const RungDecision& it, const Objective& objective) {
  std::vector<std::string> parts;
  if (!it.reason.empty()) parts.push_back(it.reason);
  if (it.standing) parts.push_back(bracket_text(*it.standing));
  parts.push_back(
      std::visit([&](const auto& basis) { return basis_text(basis, objective); }, it.basis));
  const bool by_rule = std::holds_alternative<std::monostate>(it.basis);
  if (it.verdict == RungVerdict::went_on && it.standing && by_rule &&
      it.standing->at.place > it.standing->at.quota) {
    parts.emplace_back("not one of these, but no other trial could begin");
  }
  if (it.verdict == RungVerdict::went_on && passes_over_better(it.basis)) {
    parts.emplace_back(
        "no new trial could begin: then the most promising of those with a chance of 2 % goes on, "
        "and if there is none, who is next on the ladder");
  }
  std::erase_if(parts, [](const std::string& each) { return each.empty(); });
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string verdict_text(const RungDecision& it) {
  switch (it.verdict) {
    case RungVerdict::went_on:
      return fmt::format("went on to {}", it.until.value_or(it.step));
    case RungVerdict::replaced:
      return fmt::format("replaced by trial {}", it.copy.value_or(TrialId{}).n);
    case RungVerdict::not_taken:
      return "ended there";
    default:
      return std::string(to_name(it.verdict));
  }
}

std::vector<std::string> row_of(const RungDecision& it, const std::string& verdict,
                                const Objective& objective) {
  const auto number = [&](const std::optional<double>& loss) {
    return loss ? short_number(objective.value(*loss)) : std::string("-");
  };
  std::vector<std::string> row = {"  " + std::to_string(it.step), verdict, "-", "-", "-", "-"};
  if (it.standing) {
    const RungPlace& at = it.standing->at;
    row[2] = place_text(at);
    if (it.verdict != RungVerdict::finished) row[3] = std::to_string(at.quota);
    row[4] = number(cut_of(it, objective));
    row[5] = number(loss_of(at.own, objective));
  }
  row.push_back(why_text(it, objective));
  return row;
}

Json basis_json(const DecisionBasis& basis, const Objective& objective) {
  if (const auto* model = std::get_if<ModelBasis>(&basis)) {
    const double a = objective.value(model->loss_low), b = objective.value(model->loss_high);
    Json rival = nullptr;
    if (model->rival) {
      rival = Json{{"trial", model->rival->trial.n},
                   {"log_worth", model->rival->log_worth},
                   {"seconds_per_step", or_null(model->rival->seconds)}};
    }
    return Json{{"expected", objective.value(model->loss)},
                {"low", std::min(a, b)},
                {"high", std::max(a, b)},
                {"best", objective.value(model->best)},
                {"log_worth", model->log_worth},
                {"log_worth_of_new", model->log_worth_new},
                {"seconds_per_step", or_null(model->seconds)},
                {"seconds_per_step_of_new", or_null(model->seconds_new)},
                {"rival", rival}};
  }
  if (const auto* median = std::get_if<MedianBasis>(&basis)) {
    return Json{{"best", objective.value(median->best)},
                {"median", objective.value(median->median)},
                {"trials", median->trials}};
  }
  if (const auto* leap = std::get_if<LeapBasis>(&basis)) return Json{{"distance", leap->distance}};
  return nullptr;
}

/// Without the schema.
Json plain_json(const RungDecision& it, const Objective& objective) {
  const auto value = [&](const std::optional<double>& loss) {
    return loss ? Json(objective.value(*loss)) : Json(nullptr);
  };
  Json json{{"decision", to_name(it.verdict)},
            {"trial", it.trial.n},
            {"step", it.step},
            {"until", or_null(it.until)},
            {"copy", it.copy ? Json(it.copy->n) : Json(nullptr)},
            {"reason", it.reason.empty() ? Json(nullptr) : Json(it.reason)},
            {"place", nullptr},
            {"compared", nullptr},
            {"quota", nullptr},
            {"value", nullptr},
            {"cut", value(cut_of(it, objective))},
            {"basis", basis_json(it.basis, objective)}};
  if (it.seq > 0) json.update(Json{{"seq", it.seq}, {"at", utc_text(it.at_us)}});
  if (!it.standing) return json;
  const RungPlace& at = it.standing->at;
  json.update(Json{{"place", at.place},
                   {"compared", at.results},
                   {"quota", at.quota},
                   {"value", value(loss_of(at.own, objective))},
                   {"awaited", it.standing->awaited}});
  if (it.standing->bracket) json["bracket"] = *it.standing->bracket + 1;
  return json;
}

}  // namespace

std::string decision_text(const RungDecision& decision, const Objective& objective) {
  std::vector<std::string> parts = {decision.reason, standing_text(decision, objective)};
  std::erase_if(parts, [](const std::string& each) { return each.empty(); });
  const std::string text = headline(decision, objective.step);
  return parts.empty() ? text : fmt::format("{}: {}", text, fmt::join(parts, "; "));
}

Json decision_json(const RungDecision& decision, const Objective& objective) {
  Json json{{"schema", "betatune.decision/1"}};
  json.update(plain_json(decision, objective));
  return json;
}

std::string decisions_text(const TrialDecisions& decisions, const Objective& objective) {
  if (decisions.made.empty()) return {};
  Table table(
      {"  " + objective.step, "decision", "place", "go on", "cut", objective.metric, "why"});
  for (const RungDecision& each : decisions.made) {
    table.add(row_of(each, verdict_text(each), objective));
  }
  if (decisions.waiting) {
    table.add(row_of(*decisions.waiting, "still paused, now", objective));
  }
  return table.text();
}

Json decisions_json(const TrialDecisions& decisions, const Objective& objective) {
  Json made = Json::array();
  for (const RungDecision& each : decisions.made) made.push_back(plain_json(each, objective));
  return Json{
      {"made", std::move(made)},
      {"waiting", decisions.waiting ? plain_json(*decisions.waiting, objective) : Json(nullptr)}};
}

}  // namespace betatune
