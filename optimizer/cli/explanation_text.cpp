#include "optimizer/cli/explanation_text.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/cli/rungs.hpp"
#include "optimizer/local/trust_region.hpp"
#include "optimizer/searchers/earlier_best.hpp"

namespace betatune {
namespace {

/// In the user's own direction: for `maximize` the low end of the loss is the high end of the
/// value.
std::string expected_text(const Expectation& it, const Objective& objective) {
  const double a = objective.value(it.loss_low), b = objective.value(it.loss_high);
  return fmt::format("{} about {} ({} to {}, one deviation either way)", objective.metric,
                     short_number(objective.value(it.loss)), short_number(std::min(a, b)),
                     short_number(std::max(a, b)));
}

std::string list_text(const std::vector<TrialId>& trials) {
  std::string text;
  for (const TrialId id : trials) text += fmt::format("{}{}", text.empty() ? "" : ", ", id.n);
  return text.empty() ? "none" : text;
}

double number_in(const Json& note, const char* key) {
  const auto found = note.is_object() ? note.find(key) : note.end();
  return found != note.end() && found->is_number() ? found->get<double>() : std::nan("");
}

/// What a model expected of the values that it proposed for a copy, or why it did not propose them.
std::string proposal_reason(const Json& note, const Objective& objective) {
  const auto found = note.is_object() ? note.find("pb2") : note.end();
  if (found == note.end()) return "";
  const auto intervals = static_cast<std::size_t>(number_in(*found, "intervals"));
  if (std::isnan(number_in(*found, "loss"))) {
    const double needed = number_in(*found, "needed");
    return fmt::format("; its values are random ones, as a model had {}",
                       std::isnan(needed)
                           ? std::string("nothing to propose")
                           : fmt::format("{} of the {} results that it needs", intervals, needed));
  }
  const Expectation expected{0, 0, number_in(*found, "loss"), number_in(*found, "loss_low"),
                             number_in(*found, "loss_high")};
  return fmt::format(
      "; a model of {} results proposed its values, and expected after one interval {}", intervals,
      expected_text(expected, objective));
}

/// Of a copy: what the population had come to.
std::string copy_reason(const TrialCreated& created, const Objective& objective) {
  const Parent& parent = *created.parent;
  const Json& note = created.note;
  std::string text = fmt::format(
      "goes on from trial {}, one of the best, at step {}{}, with other "
      "values",
      parent.trial.n, parent.step,
      parent.replaces ? fmt::format(", in place of trial {}", parent.replaces->n) : std::string());
  const auto place = [&](const char* key) {
    return static_cast<std::size_t>(number_in(note, key));
  };
  if (std::isnan(number_in(note, "parent")) || std::isnan(number_in(note, "compared_at"))) {
    return text + proposal_reason(note, objective);
  }
  text += fmt::format("; at step {} its parent was {} of {}", place("compared_at"),
                      ordinal(place("parent")), place("results"));
  if (!std::isnan(number_in(note, "replaced"))) {
    text += fmt::format(", trial {} was {}", parent.replaces.value_or(TrialId{}).n,
                        ordinal(place("replaced")));
  }
  return text + proposal_reason(note, objective);
}

std::string unmodelled_reason(const Explanation& it, const Objective& objective) {
  const std::string& origin = it.created.origin;
  if (origin == "initial") return "an initial point of the study file; nobody had to choose it";
  if (origin == kEnqueuedOrigin) {
    const std::string text = "somebody asked for it (betatune enqueue); ";
    return text + (it.created.parent ? "it " + copy_reason(it.created, objective)
                                     : std::string("nobody had to choose it"));
  }
  if (origin == kRepeatOrigin) {
    return fmt::format("a repeat of trial {}, as `noise.repeats` asks for",
                       it.created.repeats.value_or(TrialId{}).n);
  }
  if (origin == kConfirmOrigin) {
    return fmt::format("made to confirm trial {}, as `noise.confirm_best` asks for",
                       it.created.repeats.value_or(TrialId{}).n);
  }
  if (origin == kExploitOrigin && it.created.parent) {
    return copy_reason(it.created, objective);
  }
  if (!it.recorded) return "its log is of an older version, which did not record what was known";
  if (origin == "centre") return "the middle of the space, where a study begins";
  if (origin == kEarlierOrigin) {
    return fmt::format("among the best of the earlier study {}",
                       it.created.note.value("study", ""));
  }
  if (it.created.note.is_object() && it.created.note.contains("prior")) {
    return "drawn from what the priors of the parameters say";
  }
  if (origin == "sobol") return "the next point of a Sobol sequence, which fills the space evenly";
  if (origin == "random") return "a random draw";
  if (origin == "grid") return "the next point of the grid";
  if (origin == "gp") {
    return "of all places that were compared, it was expected to add most to the front of several "
           "objectives";
  }
  return "this searcher has nothing to tell of it";
}

std::string local_reason(const Explanation& it, const Objective& objective) {
  const Json& note = it.created.note;
  const double predicted = number_in(note, "predicted");
  const double from = number_in(note, "from");
  std::string text = fmt::format(
      "a step of the local search within {} of the best result, in the unit cube; it predicted to "
      "better {} = {} by {} +- {}",
      short_number(number_in(note, "radius")), objective.metric,
      short_number(objective.value(from)), short_number(predicted),
      short_number(number_in(note, "deviation")));
  if (it.loss) text += fmt::format(", and bettered it by {}", short_number(from - *it.loss));
  return text;
}

std::string reason(const Explanation& it, const Objective& objective) {
  if (!it.model) return unmodelled_reason(it, objective);
  if (it.created.origin == kLocalOrigin) return local_reason(it, objective);
  const ModelView& model = *it.model;
  const double own = model.log_ei + model.log_success.value_or(0) + model.log_feasible.value_or(0) +
                     model.log_prior.value_or(0);
  const bool best = model.rivals.empty() || model.rivals.front().log_ei <= own;
  if (!model.any_feasible) {
    return "no result met the outcome constraints, so the search looked where they are most likely "
           "met";
  }
  return fmt::format("{}: log expected improvement {}",
                     best ? "of all places that were compared, improvement was to be expected here "
                            "most"
                          : "the most promising place that the search had improved and nobody had "
                            "tried (one that it had not improved promised more)",
                     short_number(model.log_ei));
}

std::string rivals_table(const ModelView& model, const Objective& objective) {
  if (model.rivals.empty()) return "";
  Table table({"  others", "log_ei", objective.metric, "configuration"});
  int place = 1;
  for (const Rival& each : model.rivals) {
    table.add({fmt::format("  number {}", place++), short_number(each.log_ei),
               "about " + short_number(objective.value(each.expected.loss)),
               assignments_text(to_json(each.configuration))});
  }
  return "\n" + table.text();
}

std::string value_text(const std::optional<Value>& value) {
  if (!value) return "-";
  const auto* number = std::get_if<double>(&*value);
  return number == nullptr ? to_text(*value) : short_number(*number);
}

std::string parameters_table(const ModelView& model) {
  const auto change = [](const std::optional<double>& by) {
    return by ? fmt::format("{:+.3g}", *by) : std::string("-");
  };
  Table table(
      {"  parameter", "value", "best had", "mean by it", "deviation by it", "length-scale"});
  for (const ParameterView& each : model.parameters) {
    table.add({"  " + each.name, value_text(each.value), value_text(each.incumbent),
               change(each.mean_change), change(each.deviation_change),
               fmt::format("{:.3g}", each.lengthscale)});
  }
  std::string text = "\n" + table.text() +
                     "  (what this parameter alone did to mean and deviation by leaving the best "
                     "one's value)\n";
  for (const ParameterView& each : model.parameters) {
    if (each.warp.is_plain()) continue;
    text += fmt::format(
        "  {} is warped: the lower half of its range counts as {:.0f} % of it (a {:.3g}, b "
        "{:.3g})\n",
        each.name, 100 * each.warp.value(0.5), each.warp.a, each.warp.b);
  }
  return text;
}

std::string model_text(const ModelView& model, const Objective& objective) {
  std::string text = fmt::format("  expected: {}\n", expected_text(model.expected, objective));
  text += fmt::format("  the model believed trial {} best: {}\n", model.incumbent.n,
                      expected_text(model.at_incumbent, objective));
  if (model.log_success) {
    text +=
        fmt::format("  probability that it would not fail: {:.3g}\n", std::exp(*model.log_success));
  }
  if (model.log_feasible) {
    text += fmt::format("  probability that it meets the outcome constraints: {:.3g}\n",
                        std::exp(*model.log_feasible));
  }
  if (model.log_prior) {
    text += fmt::format(
        "  priors of parameters, or the belief in the middle of the space, add {} to it\n",
        short_number(*model.log_prior));
  }
  for (const auto& [study, weight] : model.earlier) {
    text += fmt::format("  learns from the earlier study {} with weight {:.3g}\n", study, weight);
  }
  text += rivals_table(model, objective) + parameters_table(model);
  text += fmt::format(
      "\nmodel: {} results, {} failed, {} pending; losses by {}\n"
      "  mean {:.4g}, deviation {:.4g} in its own units; noise variance {:.3g}, amplitude {:.3g}\n",
      model.results, model.failures, model.pending, model.transform, model.expected.mean,
      model.expected.deviation, model.noise, model.amplitude);
  return text;
}

Json expectation_json(const Expectation& it, const Objective& objective) {
  return Json{{"mean", it.mean},           {"deviation", it.deviation},
              {"loss", it.loss},           {"loss_low", it.loss_low},
              {"loss_high", it.loss_high}, {"value", objective.value(it.loss)}};
}

Json model_json(const ModelView& model, const Objective& objective) {
  Json rivals = Json::array(), parameters = Json::array();
  for (const Rival& each : model.rivals) {
    rivals.push_back({{"params", to_json(each.configuration)},
                      {"log_ei", each.log_ei},
                      {"expected", expectation_json(each.expected, objective)}});
  }
  for (const ParameterView& each : model.parameters) {
    parameters.push_back(
        {{"name", each.name},
         {"value", each.value ? to_json(*each.value) : Json(nullptr)},
         {"incumbent", each.incumbent ? to_json(*each.incumbent) : Json(nullptr)},
         {"mean_change", or_null(each.mean_change)},
         {"deviation_change", or_null(each.deviation_change)},
         {"lengthscale", each.lengthscale},
         {"warp",
          each.warp.is_plain() ? Json(nullptr) : Json{{"a", each.warp.a}, {"b", each.warp.b}}}});
  }
  return Json{{"results", model.results},
              {"failures", model.failures},
              {"pending", model.pending},
              {"expected", expectation_json(model.expected, objective)},
              {"incumbent", model.incumbent.n},
              {"at_incumbent", expectation_json(model.at_incumbent, objective)},
              {"log_ei", model.any_feasible ? Json(model.log_ei) : Json(nullptr)},
              {"log_feasible", or_null(model.log_feasible)},
              {"log_success", or_null(model.log_success)},
              {"log_prior", or_null(model.log_prior)},
              {"earlier", model.earlier},
              {"rivals", rivals},
              {"parameters", parameters},
              {"noise", model.noise},
              {"amplitude", model.amplitude},
              {"transform", model.transform}};
}

}  // namespace

std::string explanation_text(const Explanation& it, const std::string& study,
                             const Objective& objective) {
  std::string text =
      fmt::format("trial {} of {}: suggested by {}", it.created.trial.n, study, it.created.origin);
  if (it.created.plan)
    text += fmt::format(" (searcher {}, plan {})", it.searcher, *it.created.plan);
  if (it.loss) {
    text += fmt::format(", {} = {}", objective.metric, short_number(objective.value(*it.loss)));
  }
  text += fmt::format("\n  {}\n  why: {}\n", assignments_text(to_json(it.created.configuration)),
                      reason(it, objective));
  text += it.best ? fmt::format("  the best then: trial {}, {} = {}\n", it.best->n,
                                objective.metric, short_number(objective.value(*it.best_loss)))
                  : std::string("  the best then: none yet\n");
  text +=
      fmt::format("  without a result then: {} (of {} trials)\n", list_text(it.pending), it.trials);
  if (!it.outlook.empty()) text += fmt::format("  length: {}\n", it.outlook);
  return it.model ? text + model_text(*it.model, objective) : text;
}

Json explanation_json(const Explanation& it, const std::string& study, const Objective& objective) {
  Json pending = Json::array();
  for (const TrialId id : it.pending) pending.push_back(id.n);
  return Json{{"schema", "betatune.explain/1"},
              {"study", study},
              {"trial", it.created.trial.n},
              {"origin", it.created.origin},
              {"searcher", it.created.plan ? Json(it.searcher) : Json(nullptr)},
              {"plan", or_null(it.created.plan)},
              {"note", it.created.note},
              {"why", reason(it, objective)},
              {"params", to_json(it.created.configuration)},
              {"loss", or_null(it.loss)},
              {"value", it.loss ? Json(objective.value(*it.loss)) : Json(nullptr)},
              {"known", {{"events", it.seq}, {"trials", it.trials}}},
              {"best_then", it.best ? Json(it.best->n) : Json(nullptr)},
              {"best_loss_then", or_null(it.best_loss)},
              {"pending_then", pending},
              {"length", it.outlook.empty() ? Json(nullptr) : Json(it.outlook)},
              {"model", it.model ? model_json(*it.model, objective) : Json(nullptr)}};
}

}  // namespace betatune
