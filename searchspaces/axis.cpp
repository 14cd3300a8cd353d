#include "searchspaces/axis.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {

namespace {

std::uint64_t cell(double u, std::uint64_t levels) {
  const double scaled = std::floor(u * static_cast<double>(levels));
  return std::min(static_cast<std::uint64_t>(std::max(scaled, 0.0)), levels - 1);
}
double middle(std::uint64_t k, std::uint64_t levels) {
  return (static_cast<double>(k) + 0.5) / static_cast<double>(levels);
}

/// The integer that a value is, if it is one.
std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  const auto* real = std::get_if<double>(&value);
  if (real == nullptr || std::trunc(*real) != *real || std::abs(*real) > 0x1p53)
    return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

std::optional<double> as_real(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  const auto* real = std::get_if<double>(&value);
  return real != nullptr && std::isfinite(*real) ? std::optional(*real) : std::nullopt;
}

/// 64 and 64.0 are the same choice; true and 1 are not.
Value normalised(const Value& value) {
  const auto integer = as_integer(value);
  return integer ? Value(*integer) : value;
}

// ---- the value at u ----

Scalar value_at(const RealAxis& axis, double u) {
  if (u <= 0) return Scalar::of(axis.min);
  if (u >= 1) return Scalar::of(axis.max);
  const double value = backward(axis.scale, axis.low + u * (axis.high - axis.low));
  return Scalar::of(std::clamp(value, axis.min, axis.max));
}
/// Which value owns u.
std::uint64_t nearest(const ChoiceAxis& axis, double u) {
  return cell(u, axis.values.size());
}
std::uint64_t nearest(const LogIntegerAxis& axis, double u) {
  const double x = std::exp(axis.low + u * (axis.high - axis.low));
  const auto min = static_cast<double>(axis.min);
  const auto step = static_cast<double>(axis.step);
  const double below = std::max(0.0, std::floor((x - min) / step));
  const auto k = std::min(static_cast<std::uint64_t>(below), axis.levels - 1);
  const double value = min + static_cast<double>(k) * step;
  const bool next = k + 1 < axis.levels && x > std::sqrt(value) * std::sqrt(value + step);
  return k + (next ? 1 : 0);
}
template <class Grid>
std::uint64_t nearest(const Grid& axis, double u) {
  return cell(u, axis.levels);
}

Scalar value_at(const RealGridAxis& axis, double u) {
  return Scalar::of(axis.value(nearest(axis, u)));
}
template <class IntegerGrid>
Scalar value_at(const IntegerGrid& axis, double u) {
  return Scalar::of(axis.min + static_cast<std::int64_t>(nearest(axis, u)) * axis.step);
}
Scalar value_at(const ChoiceAxis& axis, double u) {
  return Scalar::of(axis.values[nearest(axis, u)]);
}

// ---- where a value is ----

double level_of(const RealAxis&, std::uint64_t) {
  return 0.5;
}
double level_of(const ChoiceAxis& axis, std::uint64_t k) {
  return middle(k, axis.values.size());
}
double level_of(const LogIntegerAxis& axis, std::uint64_t k) {
  const auto value = static_cast<double>(axis.min + static_cast<std::int64_t>(k) * axis.step);
  return (std::log(value) - axis.low) / (axis.high - axis.low);
}
template <class Grid>
double level_of(const Grid& axis, std::uint64_t k) {
  return middle(k, axis.levels);
}

double snapped(const RealAxis&, double u) {
  return u;
}
template <class Grid>
double snapped(const Grid& axis, double u) {
  return level_of(axis, nearest(axis, u));
}

std::optional<double> position_of(const RealAxis& axis, const Value& value) {
  const auto real = as_real(value);
  if (!real || *real < axis.min || *real > axis.max) return std::nullopt;
  const double u = (forward(axis.scale, *real) - axis.low) / (axis.high - axis.low);
  return std::clamp(u, 0.0, 1.0);
}

/// Index on the grid; a billionth of a step off is rounding, more is another value.
std::optional<std::uint64_t> index_of(const RealGridAxis& axis, const Value& value) {
  const auto real = as_real(value);
  if (!real) return std::nullopt;
  const double steps = (*real - axis.min) / axis.step;
  const double k = std::round(steps);
  const bool on_grid =
      std::abs(steps - k) <= 1e-9 && k >= 0 && k < static_cast<double>(axis.levels);
  return on_grid ? std::optional(static_cast<std::uint64_t>(k)) : std::nullopt;
}
std::optional<double> position_of(const RealGridAxis& axis, const Value& value) {
  const auto k = index_of(axis, value);
  return k ? std::optional(level_of(axis, *k)) : std::nullopt;
}

template <class IntegerGrid>
std::optional<std::uint64_t> index_of(const IntegerGrid& axis, const Value& value) {
  const auto integer = as_integer(value);
  if (!integer || *integer < axis.min) return std::nullopt;
  const auto distance = static_cast<std::uint64_t>(*integer) - static_cast<std::uint64_t>(axis.min);
  const auto step = static_cast<std::uint64_t>(axis.step);
  if (distance % step != 0 || distance / step >= axis.levels) return std::nullopt;
  return distance / step;
}
std::optional<double> position_of(const IntegerAxis& axis, const Value& value) {
  const auto k = index_of(axis, value);
  return k ? std::optional(level_of(axis, *k)) : std::nullopt;
}
std::optional<double> position_of(const LogIntegerAxis& axis, const Value& value) {
  const auto k = index_of(axis, value);
  return k ? std::optional(level_of(axis, *k)) : std::nullopt;
}

std::optional<std::size_t> index_of(const ChoiceAxis& axis, const Value& value) {
  const Value wanted = normalised(value);
  const auto found =
      std::lower_bound(axis.sorted.begin(), axis.sorted.end(), wanted,
                       [](const auto& entry, const Value& each) { return entry.first < each; });
  if (found == axis.sorted.end() || found->first != wanted) return std::nullopt;
  return found->second;
}
std::optional<double> position_of(const ChoiceAxis& axis, const Value& value) {
  const auto k = index_of(axis, value);
  return k ? std::optional(level_of(axis, *k)) : std::nullopt;
}

// ---- the value in its declared type ----

std::optional<Value> canonical_of(const RealAxis& axis, const Value& value) {
  if (!position_of(axis, value)) return std::nullopt;
  return Value(*as_real(value));
}
std::optional<Value> canonical_of(const RealGridAxis& axis, const Value& value) {
  const auto k = index_of(axis, value);
  return k ? std::optional(Value(axis.value(*k))) : std::nullopt;
}
template <class IntegerGrid>
std::optional<Value> canonical_of(const IntegerGrid& axis, const Value& value) {
  if (!index_of(axis, value)) return std::nullopt;
  return Value(*as_integer(value));
}
std::optional<Value> canonical_of(const ChoiceAxis& axis, const Value& value) {
  const auto k = index_of(axis, value);
  return k ? std::optional(axis.values[*k]) : std::nullopt;
}

// ---- what people are told ----

std::string describe(const RealAxis& axis) {
  return "a number from " + to_text(axis.min) + " to " + to_text(axis.max);
}
std::string describe(const RealGridAxis& axis) {
  if (axis.levels == 1) return "the number " + to_text(axis.min);
  return "one of " + to_text(axis.min) + ", " + to_text(axis.value(1)) + ", ... " +
         to_text(axis.value(axis.levels - 1));
}
template <class IntegerGrid>
std::string describe(const IntegerGrid& axis) {
  const auto last = axis.min + static_cast<std::int64_t>(axis.levels - 1) * axis.step;
  if (axis.levels == 1) return "the integer " + std::to_string(axis.min);
  const std::string from = std::to_string(axis.min);
  const std::string to = std::to_string(last);
  if (axis.step == 1) return "an integer from " + from + " to " + to;
  return "one of " + from + ", " + std::to_string(axis.min + axis.step) + ", ... " + to;
}
std::string describe(const ChoiceAxis& axis) {
  constexpr std::size_t kShown = 12;
  std::string all;
  for (std::size_t i = 0; i < std::min(axis.values.size(), kShown); ++i) {
    all += (i == 0 ? "" : ", ") + to_text(axis.values[i]);
  }
  return "one of " + all + (axis.values.size() > kShown ? ", ..." : "");
}

std::uint64_t levels_of(const RealAxis&) {
  return 0;
}
std::uint64_t levels_of(const ChoiceAxis& axis) {
  return axis.values.size();
}
template <class Grid>
std::uint64_t levels_of(const Grid& axis) {
  return axis.levels;
}

}  // namespace

double forward(Scale scale, double value) {
  switch (scale) {
    case Scale::log:
      return std::log(value);
    case Scale::logit:
      return std::log(value / (1 - value));
    default:
      return value;
  }
}
double backward(Scale scale, double x) {
  switch (scale) {
    case Scale::log:
      return std::exp(x);
    case Scale::logit:
      return 1 / (1 + std::exp(-x));
    default:
      return x;
  }
}

double RealGridAxis::value(std::uint64_t k) const {
  return (first + static_cast<double>(k) * stride) / unit;
}

Column::Kind Axis::kind() const {
  if (std::holds_alternative<RealAxis>(form_)) return Column::Kind::continuous;
  const auto* choice = std::get_if<ChoiceAxis>(&form_);
  if (choice == nullptr) return Column::Kind::grid;
  return choice->ordered ? Column::Kind::ordinal : Column::Kind::categorical;
}

std::uint64_t Axis::levels() const {
  return std::visit([](const auto& axis) { return levels_of(axis); }, form_);
}

Scalar Axis::at(double u) const {
  return std::visit([&](const auto& axis) { return value_at(axis, u); }, form_);
}

std::optional<double> Axis::position(const Value& value) const {
  return std::visit([&](const auto& axis) { return position_of(axis, value); }, form_);
}

Result<Value> Axis::canonical(const Value& value) const {
  auto found = std::visit([&](const auto& axis) { return canonical_of(axis, value); }, form_);
  if (found) return *std::move(found);
  return Error{ErrorKind::invalid_argument,
               "expected " + expected() + ", got `" + to_text(value) + "`"};
}

double Axis::snap(double u) const {
  return std::visit([&](const auto& axis) { return snapped(axis, std::clamp(u, 0.0, 1.0)); },
                    form_);
}

double Axis::level(std::uint64_t k) const {
  BETATUNE_ASSERT(k < levels());
  return std::visit([&](const auto& axis) { return level_of(axis, k); }, form_);
}

std::string Axis::expected() const {
  return std::visit([](const auto& axis) { return describe(axis); }, form_);
}

const std::vector<Value>* Axis::choices() const {
  const auto* choice = std::get_if<ChoiceAxis>(&form_);
  return choice == nullptr ? nullptr : &choice->values;
}

}  // namespace betatune
