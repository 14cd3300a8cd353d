#include <algorithm>
#include <cmath>

#include "searchspaces/axis.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {

namespace {

// With more levels than these, (k + 0.5) / n no longer tells neighbours apart for certain.
constexpr double kMostLevels = 0x1p50;
constexpr double kMostLogRatio = 0x1p40;

Error wrong(const std::string& what) {
  return Error{ErrorKind::invalid_argument, what};
}

template <class Number>
Status check_bounds(Number min, Number max) {
  if (min > max) {
    return wrong("min " + to_text(min) + " is above max " + to_text(max) + "; swap them");
  }
  return Ok{};
}

template <class Number>
Status check_step(Number min, Number max, Number step) {
  if (!(step > 0)) return wrong("step " + to_text(step) + " is not above 0");
  if (min < max &&
      static_cast<double>(max) - static_cast<double>(min) < static_cast<double>(step)) {
    return wrong("step " + to_text(step) + " is larger than max - min, so that only min is left; " +
                 "use a smaller step, or a constant");
  }
  return Ok{};
}

Status check_scale(const Real& real) {
  if (real.scale == Scale::log && real.min <= 0) {
    return wrong("scale log needs min above 0, got " + to_text(real.min));
  }
  if (real.scale == Scale::logit && (real.min <= 0 || real.max >= 1)) {
    return wrong("scale logit needs 0 < min and max < 1, got " + to_text(real.min) + " and " +
                 to_text(real.max));
  }
  return Ok{};
}

/// The smallest power of ten that makes both numbers whole, or 0 if none up to 10^15 does.
double decimal_unit(double min, double step) {
  for (double unit = 1; unit <= 1e15; unit *= 10) {
    const double first = min * unit;
    const double stride = step * unit;
    const auto whole = [](double x) {
      return std::abs(x) < 0x1p52 && std::abs(x - std::round(x)) <= 1e-12 * std::abs(x);
    };
    if (whole(first) && whole(stride)) return unit;
  }
  return 0;
}

Result<RealGridAxis> real_grid(double min, double max, double step) {
  BETATUNE_CHECK(check_step(min, max, step));
  const double steps = (max - min) / step;
  if (steps >= kMostLevels) return wrong("too many steps between min and max; use a larger step");
  RealGridAxis axis{min, step, 1, min, step, 1};
  if (const double unit = decimal_unit(min, step); unit != 0) {
    axis.first = std::round(min * unit);
    axis.stride = std::round(step * unit);
    axis.unit = unit;
  }
  axis.levels = static_cast<std::uint64_t>(std::floor(steps * (1 + 1e-12) + 1e-9)) + 1;
  while (axis.levels > 1 && axis.value(axis.levels - 1) > max) --axis.levels;
  return axis;
}

LogIntegerAxis log_grid(const Integer& integer, std::uint64_t levels) {
  const auto first = static_cast<double>(integer.min);
  const auto step = static_cast<double>(integer.step);
  const double last = first + static_cast<double>(levels - 1) * step;
  // Half a cell beyond the ends, measured with the ratio to the next value above.
  const double low = std::log(first) - 0.5 * std::log((first + step) / first);
  const double high = std::log(last) + 0.5 * std::log((last + step) / last);
  return {integer.min, integer.step, levels, low, high};
}

Status check_choices(const std::vector<Value>& values) {
  if (values.empty()) return wrong("no values to choose from; give at least one");
  if (values.size() > limits::kChoices) {
    return wrong(std::to_string(values.size()) + " values are more than the limit of " +
                 std::to_string(limits::kChoices) + "; use an int or float range");
  }
  for (const Value& value : values) {
    const auto* real = std::get_if<double>(&value);
    if (real != nullptr && !std::isfinite(*real)) return wrong("a value is not a finite number");
  }
  return Ok{};
}

Result<ChoiceAxis> choice_axis(const std::vector<Value>& values, bool ordered) {
  BETATUNE_CHECK(check_choices(values));
  ChoiceAxis axis{values, {}, ordered};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto* real = std::get_if<double>(&values[i]);
    // 64.0 is the choice 64, so that what a person types finds it either way.
    const bool whole = real != nullptr && std::trunc(*real) == *real && std::abs(*real) <= 0x1p53;
    axis.sorted.emplace_back(whole ? Value(static_cast<std::int64_t>(*real)) : values[i], i);
  }
  std::sort(axis.sorted.begin(), axis.sorted.end());
  for (std::size_t i = 1; i < axis.sorted.size(); ++i) {
    if (axis.sorted[i - 1].first == axis.sorted[i].first) {
      return wrong("the value `" + to_text(axis.sorted[i].first) + "` is given twice; remove one");
    }
  }
  return axis;
}

}  // namespace

Result<Axis> Axis::make(const Domain& domain) {
  if (const auto* real = std::get_if<Real>(&domain)) {
    if (!std::isfinite(real->min) || !std::isfinite(real->max)) {
      return wrong("min and max must be finite numbers");
    }
    BETATUNE_CHECK(check_bounds(real->min, real->max));
    BETATUNE_CHECK(check_scale(*real));
    if (!std::isfinite(real->max - real->min)) return wrong("max - min is too large for a float");
    if (real->step) {
      if (real->scale != Scale::linear) return wrong("step needs scale linear; remove one of them");
      BETATUNE_TRY(RealGridAxis grid, real_grid(real->min, real->max, *real->step));
      return Axis(grid);
    }
    if (real->min == real->max) return Axis(RealGridAxis{real->min, 1, 1, real->min, 1, 1});
    return Axis(RealAxis{real->min, real->max, real->scale, forward(real->scale, real->min),
                         forward(real->scale, real->max)});
  }
  if (const auto* integer = std::get_if<Integer>(&domain)) return make_integer(*integer);
  const auto* ordinal = std::get_if<Ordinal>(&domain);
  const auto* categorical = std::get_if<Categorical>(&domain);
  BETATUNE_ASSERT(ordinal != nullptr || categorical != nullptr);
  BETATUNE_TRY(
      ChoiceAxis axis,
      choice_axis(ordinal != nullptr ? ordinal->values : categorical->values, ordinal != nullptr));
  return Axis(std::move(axis));
}

Result<Axis> Axis::make_integer(const Integer& integer) {
  BETATUNE_CHECK(check_bounds(integer.min, integer.max));
  BETATUNE_CHECK(check_step(integer.min, integer.max, integer.step));
  if (integer.scale == Scale::logit) return wrong("an int has scale linear or log, not logit");
  if (integer.scale == Scale::log && integer.min < 1) {
    return wrong("scale log needs min of at least 1, got " + std::to_string(integer.min));
  }
  const double steps = (static_cast<double>(integer.max) - static_cast<double>(integer.min)) /
                       static_cast<double>(integer.step);
  const double ratio = static_cast<double>(integer.max) / static_cast<double>(integer.step);
  if (steps >= kMostLevels || (integer.scale == Scale::log && ratio > kMostLogRatio)) {
    return wrong("too many integers between min and max; use a larger step, or a float");
  }
  const auto distance =
      static_cast<std::uint64_t>(integer.max) - static_cast<std::uint64_t>(integer.min);
  const std::uint64_t levels = distance / static_cast<std::uint64_t>(integer.step) + 1;
  if (integer.scale == Scale::log && levels > 1) return Axis(log_grid(integer, levels));
  return Axis(IntegerAxis{integer.min, integer.step, levels});
}

}  // namespace betatune
