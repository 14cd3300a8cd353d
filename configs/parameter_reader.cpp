// One parameter of a study file, or of an included one.

#include <charconv>

#include "configs/study_reader.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

std::optional<Expression> read_when_mapping(const ConfigNode& node, const std::string& path,
                                            Diagnostics& diagnostics) {
  std::optional<Expression> all;
  for (const ConfigNode::Entry& entry : node.entries()) {
    std::vector<Value> values;
    const std::string place = path + "." + entry.key;
    bool fine = true;
    if (entry.value.kind() == Kind::sequence) {
      fine = read_config(entry.value, place, diagnostics, values);
      if (fine && values.empty()) {
        diagnostics.error("E0202", "`" + place + "` has no values, so it never holds",
                          entry.value.mark(), "list the values with which the parameter exists");
        fine = false;
      }
    } else {
      Value value;
      fine = read_config(entry.value, place, diagnostics, value);
      values.push_back(value);
    }
    if (!fine) continue;
    const Expression member = Expression::member_of(entry.key, values);
    all = all ? Expression::both(*all, member) : member;
  }
  return all;
}

std::optional<Expression> read_when(const ConfigNode& node, const std::string& path,
                                    Diagnostics& diagnostics) {
  if (node.kind() == Kind::mapping && !node.entries().empty()) {
    return read_when_mapping(node, path, diagnostics);
  }
  if (node.kind() == Kind::string) return read_expression(node, path, diagnostics);
  read_detail::wrong_kind(node, path, "a mapping or an expression", diagnostics);
  return std::nullopt;
}

// What the five shapes have in common.
template <class Fields>
std::optional<ParsedParameter> finish(const ConfigNode::Entry& entry, const Fields& fields,
                                      Domain domain, Diagnostics& diagnostics) {
  ParsedParameter parsed{{entry.key, std::move(domain)}, entry.key_mark, entry.value};
  if constexpr (requires { fields.default_value; }) {
    parsed.parameter.default_value = fields.default_value;
  }
  if constexpr (requires { fields.prior; }) {
    if (fields.prior) parsed.parameter.prior = {fields.prior->center, fields.prior->confidence};
  }
  if (fields.when) {
    parsed.parameter.when =
        read_when(*fields.when, "parameters." + entry.key + ".when", diagnostics);
    parsed.broken = !parsed.parameter.when;
  }
  return parsed;
}

template <class Fields, class MakeDomain>
std::optional<ParsedParameter> read_shape(const ConfigNode::Entry& entry, Diagnostics& diagnostics,
                                          MakeDomain make_domain) {
  Fields fields;
  const bool fine = read_config(entry.value, "parameters." + entry.key, diagnostics, fields);
  // The condition is looked at even where the rest is wrong: every problem at once.
  auto parsed = finish(entry, fields, fine ? make_domain(fields) : Domain(Constant{}), diagnostics);
  return fine ? std::move(parsed) : std::nullopt;
}

std::optional<ParsedParameter> read_typed(const ConfigNode::Entry& entry, ParameterType type,
                                          Diagnostics& diagnostics) {
  switch (type) {
    case ParameterType::real:
      return read_shape<RealFields>(entry, diagnostics, [](const RealFields& fields) -> Domain {
        return Real{fields.min, fields.max, fields.scale, fields.step};
      });
    case ParameterType::integer:
      return read_shape<IntegerFields>(
          entry, diagnostics, [](const IntegerFields& fields) -> Domain {
            return Integer{fields.min, fields.max, fields.scale, fields.step};
          });
    case ParameterType::ordinal:
      return read_shape<ChoiceFields>(entry, diagnostics, [](const ChoiceFields& fields) -> Domain {
        return Ordinal{fields.values};
      });
    case ParameterType::categorical:
      return read_shape<ChoiceFields>(entry, diagnostics, [](const ChoiceFields& fields) -> Domain {
        return Categorical{fields.values};
      });
  }
  return std::nullopt;
}

std::optional<ParsedParameter> read_derived(const ConfigNode::Entry& entry,
                                            Diagnostics& diagnostics) {
  DerivedFields fields;
  const std::string path = "parameters." + entry.key;
  const bool fine = read_config(entry.value, path, diagnostics, fields);
  auto expression = read_expression(fields.derived, path + ".derived", diagnostics);
  if (!fine || !expression) return std::nullopt;
  return finish(entry, fields, Derived{std::move(*expression)}, diagnostics);
}

}  // namespace

std::size_t take_column(std::string& message) {
  constexpr std::string_view kPrefix = "column ";
  if (!message.starts_with(kPrefix)) return 1;
  std::size_t column = 1;
  const char* const first = message.data() + kPrefix.size();
  const auto [end, error] = std::from_chars(first, message.data() + message.size(), column);
  if (error != std::errc{} || column == 0) return 1;
  const std::size_t colon = message.find(": ", static_cast<std::size_t>(end - message.data()));
  if (colon != std::string::npos) message = message.substr(colon + 2);
  return column;
}

std::optional<Expression> read_expression(const ConfigNode& node, const std::string& path,
                                          Diagnostics& diagnostics) {
  std::string text;
  if (node.kind() == Kind::integer || node.kind() == Kind::real || node.kind() == Kind::boolean) {
    text = node.text();
  } else if (!read_config(node, path, diagnostics, text)) {
    return std::nullopt;
  }
  auto expression = Expression::parse(text);
  if (expression) return std::move(expression).value();
  std::string message = expression.error().message;
  const std::size_t column = take_column(message);
  diagnostics.error("E0202", "in the expression of `" + path + "`: " + message,
                    node.mark_at(column - 1));
  return std::nullopt;
}

std::optional<ParsedParameter> read_parameter(const ConfigNode::Entry& entry,
                                              Diagnostics& diagnostics) {
  const std::string path = "parameters." + entry.key;
  const ConfigNode& node = entry.value;
  if (node.kind() != Kind::mapping) {
    read_detail::wrong_kind(node, path, "a mapping like {type: float, min: 0, max: 1}",
                            diagnostics);
    return std::nullopt;
  }
  const ConfigNode* type_node = node.find("type");
  if (type_node == nullptr) {
    if (node.find("value") != nullptr) {
      return read_shape<ConstantFields>(
          entry, diagnostics,
          [](const ConstantFields& fields) -> Domain { return Constant{fields.value}; });
    }
    if (node.find("derived") != nullptr) return read_derived(entry, diagnostics);
    diagnostics.error("E0101", "`" + path + ".type` is missing", entry.key_mark,
                      "add `type: float`, int, ordinal or categorical; or give a `value`");
    return std::nullopt;
  }
  ParameterType type{};
  if (!read_config(*type_node, path + ".type", diagnostics, type)) return std::nullopt;
  return read_typed(entry, type, diagnostics);
}

}  // namespace betatune
