// SearchSpace::make: everything that can be wrong with a space, all of it at once.

#include <algorithm>
#include <numeric>
#include <utility>

#include "searchspaces/limits.hpp"
#include "searchspaces/space_data.hpp"

namespace betatune {

namespace {

constexpr std::uint64_t kProbes = 1'000;
constexpr std::uint64_t kMostProbes = 10'000;

class Maker {
 public:
  Maker(std::vector<Parameter> parameters, std::vector<Expression> constraints) {
    data_->parameters = std::move(parameters);
    data_->constraints = std::move(constraints);
    data_->plans.resize(data_->parameters.size());
  }

  Result<std::shared_ptr<const SpaceData>> make() {
    check_names();
    if (!problems_.empty()) return failure();
    for (std::size_t i = 0; i < data_->parameters.size(); ++i) make_domain(i);
    for (std::size_t i = 0; i < data_->parameters.size(); ++i) bind_expressions(i);
    for (const Expression& constraint : data_->constraints) {
      if (check_expression(constraint, constraint.text(), true)) {
        data_->bound_constraints.push_back(bound(constraint));
      }
    }
    make_order();
    if (problems_.empty()) probe();
    if (!problems_.empty()) return failure();
    return std::shared_ptr<const SpaceData>(data_);
  }

 private:
  Error failure() const { return Error{ErrorKind::invalid_argument, problems_}; }
  void problem(const std::string& subject, const std::string& what) {
    problems_ += (problems_.empty() ? "`" : "\n`") + subject + "`: " + what;
  }

  // ---- names ----

  static bool valid_name(const std::string& name) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return !name.empty() && kLetters.find(name[0]) != std::string_view::npos &&
           name.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
               "0123456789.-/") == std::string::npos;
  }

  void check_names() {
    if (data_->parameters.size() > limits::kParameters) {
      problem("parameters", std::to_string(data_->parameters.size()) +
                                " are more than the limit of " +
                                std::to_string(limits::kParameters));
      return;
    }
    for (const Parameter& parameter : data_->parameters) {
      const std::string& name = parameter.name;
      if (name.size() > limits::kNameBytes) {
        problem(name.substr(0, 32) + "...",
                "a name has at most " + std::to_string(limits::kNameBytes) + " bytes");
      } else if (!valid_name(name)) {
        problem(name, "a name begins with a letter or _ and has letters, digits and . _ - / only");
      } else if (is_reserved_word(name)) {
        problem(name, "is a word of the expression language; choose another name");
      } else if (!data_->names.insert(name).second) {
        problem(name, "is declared twice; rename or remove one");
      }
    }
    data_->by_name.resize(data_->parameters.size());
    std::iota(data_->by_name.begin(), data_->by_name.end(), std::size_t{0});
    std::sort(data_->by_name.begin(), data_->by_name.end(), [&](std::size_t a, std::size_t b) {
      return data_->parameters[a].name < data_->parameters[b].name;
    });
  }

  // ---- domains ----

  void make_domain(std::size_t index) {
    Parameter& parameter = data_->parameters[index];
    const bool fixed = std::holds_alternative<Constant>(parameter.domain) ||
                       std::holds_alternative<Derived>(parameter.domain);
    if (fixed) {
      if (parameter.default_value) {
        problem(parameter.name, "a constant or derived parameter has no default; remove it");
      }
      if (parameter.prior) {
        problem(parameter.name, "a constant or derived parameter has no prior; remove it");
      }
      return;
    }
    auto axis = Axis::make(parameter.domain);
    if (!axis) return problem(parameter.name, axis.error().message);
    ParameterPlan& plan = data_->plans[index];
    plan.axis = std::move(axis).value();
    plan.column = data_->columns.size();
    data_->columns.push_back(
        {plan.axis->kind(), index, plan.axis->levels(), parameter.when.has_value()});
    if (parameter.default_value) {
      plan.default_position = place(index, "default", *parameter.default_value).value_or(0.5);
    }
    if (!parameter.prior) return;
    if (const auto center = place(index, "prior: center", parameter.prior->center)) {
      data_->columns.back().prior = {*center, parameter.prior->confidence};
    }
  }

  /// Where a value of a searched parameter is encoded; the value is put into its declared type.
  std::optional<double> place(std::size_t index, const std::string& what, Value& value) {
    const Axis& axis = *data_->plans[index].axis;
    auto found = axis.canonical(value);
    if (!found) {
      problem(data_->parameters[index].name, what + ": " + found.error().message);
      return std::nullopt;
    }
    value = std::move(found).value();
    return axis.position(value);
  }

  // ---- expressions ----

  ExpressionNode bound(const Expression& expression) const {
    return bind_names(expression.root(),
                      [&](const std::string& name) { return data_->index_of(name); });
  }

  bool check_expression(const Expression& expression, const std::string& subject, bool needs_name) {
    // A constraint has no name: its text is the subject already.
    const std::string text = subject == expression.text() ? "" : "`" + expression.text() + "`: ";
    if (const Status status = expression.check_names(data_->names); !status) {
      problem(subject, text + status.error().message);
      return false;
    }
    bool named = false;
    for (const std::string& name : expression.names()) named = named || data_->names.contains(name);
    if (needs_name && !named) problem(subject, text + "names no parameter");
    const std::string impossible = impossible_value(bound(expression));
    if (!impossible.empty()) problem(subject, text + impossible);
    return impossible.empty() && (named || !needs_name);
  }

  /// A word that is compared with a parameter of a list of values and is none of them: almost
  /// always a typing mistake, and it would make the condition false for ever.
  std::string impossible_value(const ExpressionNode& root) const {
    std::string found;
    visit_nodes(root, [&](const ExpressionNode& node) {
      const bool compares =
          node.kind == ExpressionNode::Kind::member ||
          (node.kind == ExpressionNode::Kind::compare &&
           (node.operators[0] == Operator::equal || node.operators[0] == Operator::not_equal));
      if (!compares || !found.empty()) return;
      for (const ExpressionNode& name : node.children) {
        if (name.kind != ExpressionNode::Kind::name || !data_->plans[name.slot].axis) continue;
        const Axis& axis = *data_->plans[name.slot].axis;
        for (const ExpressionNode& value : node.children) {
          const bool text = value.kind == ExpressionNode::Kind::literal &&
                            std::holds_alternative<std::string>(value.literal);
          if (!text || axis.position(value.literal)) continue;
          found = "`" + to_text(value.literal) + "` is not a value of `" +
                  data_->parameters[name.slot].name + "`, which is " + axis.expected();
        }
      }
    });
    return found;
  }

  void bind_expressions(std::size_t index) {
    const Parameter& parameter = data_->parameters[index];
    ParameterPlan& plan = data_->plans[index];
    std::set<std::string> words;
    if (parameter.when && check_expression(*parameter.when, parameter.name, true)) {
      plan.when = bound(*parameter.when);
      words.merge(parameter.when->names());
    }
    const auto* derived = std::get_if<Derived>(&parameter.domain);
    if (derived != nullptr && check_expression(derived->expression, parameter.name, false)) {
      plan.derived = bound(derived->expression);
      data_->derived.push_back(index);
      words.merge(derived->expression.names());
    }
    for (const std::string& word : words) {
      if (const auto parent = data_->index_of(word)) plan.parents.push_back(*parent);
    }
  }

  // ---- order ----

  enum class Visit { fresh, open, done };

  void make_order() {
    visits_.assign(data_->parameters.size(), Visit::fresh);
    for (std::size_t i = 0; i < data_->parameters.size(); ++i) {
      if (visits_[i] == Visit::fresh) visit(i);
    }
  }

  void visit(std::size_t index) {
    visits_[index] = Visit::open;
    path_.push_back(index);
    for (const std::size_t parent : data_->plans[index].parents) {
      if (visits_[parent] == Visit::fresh)
        visit(parent);
      else if (visits_[parent] == Visit::open)
        report_cycle(parent);
    }
    path_.pop_back();
    visits_[index] = Visit::done;
    data_->order.push_back(index);
  }

  void report_cycle(std::size_t from) {
    std::string cycle;
    for (auto at = std::find(path_.begin(), path_.end(), from); at != path_.end(); ++at) {
      cycle += data_->parameters[*at].name + " -> ";
    }
    problem(data_->parameters[from].name, "depends on itself: " + cycle +
                                              data_->parameters[from].name +
                                              "; change a condition or derived expression");
  }

  // ---- draws ----

  /// Draws until a point meets the constraints and enough have been tried to trust the expressions.
  void probe() {
    data_->witness = data_->draw(Key{}, 0);
    const bool simple = std::none_of(data_->plans.begin(), data_->plans.end(),
                                     [](const auto& plan) { return plan.when || plan.derived; });
    if (simple && data_->constraints.empty()) return;
    met_.assign(data_->constraints.size(), 0);
    bool found = false;
    for (std::uint64_t n = 0; n < kMostProbes && !(found && n >= kProbes); ++n) {
      const Eigen::VectorXd point = data_->draw(root_key(0), n);
      Scalars values;
      const Obstacle obstacle = data_->resolve(point, values);
      const bool met = probe_constraints(values);
      if (!problems_.empty()) return;
      if (!obstacle.message.empty() && (met || obstacle.in_condition)) {
        return report_obstacle(obstacle, values);
      }
      if (met && !found) data_->witness = data_->canonical(point, values);
      found = found || met;
    }
    if (!found) report_unsatisfiable();
  }

  /// An error of one constraint counts only where no other one rules the draw out.
  bool probe_constraints(const Scalars& values) {
    bool met = true;
    std::string error;
    std::size_t failing = 0;
    for (std::size_t i = 0; i < data_->constraints.size(); ++i) {
      std::string message;
      const bool holds = data_->holds(i, values, message);
      met_[i] += holds ? 1 : 0;
      if (!message.empty()) {
        error = message;
        failing = i;
      }
      met = met && (holds || !message.empty());
    }
    if (error.empty() || !met) return met;
    problem(data_->constraints[failing].text(),
            error + " with " + describe_values(*data_, data_->bound_constraints[failing], values));
    return false;
  }

  void report_obstacle(const Obstacle& obstacle, const Scalars& values) {
    const Parameter& parameter = data_->parameters[obstacle.parameter];
    const ParameterPlan& plan = data_->plans[obstacle.parameter];
    const ExpressionNode& node = obstacle.in_condition ? *plan.when : *plan.derived;
    const std::string text = obstacle.in_condition
                                 ? parameter.when->text()
                                 : std::get<Derived>(parameter.domain).expression.text();
    const std::string with = describe_values(*data_, node, values);
    problem(parameter.name, "`" + text + "` cannot be computed" +
                                (with.empty() ? "" : " with " + with) + ": " + obstacle.message +
                                "; change it, or exclude such values by a constraint");
  }

  void report_unsatisfiable() {
    const auto rarest = std::min_element(met_.begin(), met_.end()) - met_.begin();
    const auto at = static_cast<std::size_t>(rarest);
    const std::string tries = std::to_string(kMostProbes);
    problem(data_->constraints[at].text(),
            "none of " + tries +
                " random configurations meets the constraints (this one is met by " +
                std::to_string(met_[at]) + "); relax it, or change the bounds of its parameters");
  }

  std::shared_ptr<SpaceData> data_ = std::make_shared<SpaceData>();
  std::string problems_;
  std::vector<Visit> visits_;
  std::vector<std::size_t> path_;
  std::vector<std::uint64_t> met_;
};

}  // namespace

Result<SearchSpace> SearchSpace::make(std::vector<Parameter> parameters,
                                      std::vector<Expression> constraints) {
  BETATUNE_TRY(auto data, Maker(std::move(parameters), std::move(constraints)).make());
  return SearchSpace(std::move(data));
}

}  // namespace betatune
