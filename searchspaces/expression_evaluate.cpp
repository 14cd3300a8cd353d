#include <cmath>
#include <limits>
#include <utility>

#include "searchspaces/expression_node.hpp"

namespace betatune {

namespace {

using Kind = ExpressionNode::Kind;

std::string described(const Scalar& scalar) {
  return (scalar.kind == Scalar::Kind::text ? "the text `" : "`") + to_text(scalar.value()) + "`";
}

Scalar whole_number(std::int64_t n) {
  return Scalar::of(n);
}
Scalar real_number(double x) {
  return Scalar::of(x);
}

int compare(const Scalar& a, const Scalar& b) {
  if (a.whole() && b.whole()) return a.integer < b.integer ? -1 : a.integer > b.integer ? 1 : 0;
  return a.real < b.real ? -1 : a.real > b.real ? 1 : 0;
}

Scalar add(const Scalar& a, const Scalar& b) {
  std::int64_t exact = 0;
  if (a.whole() && b.whole() && !__builtin_add_overflow(a.integer, b.integer, &exact)) {
    return whole_number(exact);
  }
  return real_number(a.real + b.real);
}

Scalar subtract(const Scalar& a, const Scalar& b) {
  std::int64_t exact = 0;
  if (a.whole() && b.whole() && !__builtin_sub_overflow(a.integer, b.integer, &exact)) {
    return whole_number(exact);
  }
  return real_number(a.real - b.real);
}

Scalar multiply(const Scalar& a, const Scalar& b) {
  std::int64_t exact = 0;
  if (a.whole() && b.whole() && !__builtin_mul_overflow(a.integer, b.integer, &exact)) {
    return whole_number(exact);
  }
  return real_number(a.real * b.real);
}

/// An integer where integers divide without a rest: hidden / 8 is a width, not 64.0.
Scalar divide(const Scalar& a, const Scalar& b) {
  if (a.whole() && b.whole() && b.integer != -1 && a.integer % b.integer == 0) {
    return whole_number(a.integer / b.integer);
  }
  if (a.whole() && b.whole() && b.integer == -1) return subtract(whole_number(0), a);
  return real_number(a.real / b.real);
}

/// The rest has the sign of the divisor, as in Python: -1 % 8 is 7.
Scalar modulo(const Scalar& a, const Scalar& b) {
  if (a.whole() && b.whole()) {
    if (b.integer == -1) return whole_number(0);
    const std::int64_t rest = a.integer % b.integer;
    return whole_number(rest != 0 && (rest < 0) != (b.integer < 0) ? rest + b.integer : rest);
  }
  const double rest = std::fmod(a.real, b.real);
  return real_number(rest != 0 && (rest < 0) != (b.real < 0) ? rest + b.real : rest);
}

Scalar power(const Scalar& a, const Scalar& b) {
  const double real = std::pow(a.real, b.real);
  // Below 2^53 pow of two integers is exact or one rounding away from it.
  if (a.whole() && b.whole() && b.integer >= 0 && std::abs(real) < 0x1p53) {
    return whole_number(std::llround(real));
  }
  return real_number(real);
}

Scalar apply(Operator op, const Scalar& a, const Scalar& b) {
  switch (op) {
    case Operator::add:
      return add(a, b);
    case Operator::subtract:
      return subtract(a, b);
    case Operator::multiply:
      return multiply(a, b);
    case Operator::divide:
      return divide(a, b);
    default:
      return modulo(a, b);
  }
}

/// Works on one evaluation; the first error wins and makes every result above it absent.
class Evaluator {
 public:
  Evaluator(std::span<const Scalar> slots, std::string& error) : slots_(slots), error_(error) {}

  Scalar run(const ExpressionNode& node) {
    switch (node.kind) {
      case Kind::literal:
        return Scalar::of(node.literal);
      case Kind::name:
        return slots_[node.slot];
      case Kind::negate:
        return negated(node);
      case Kind::invert:
        return inverted(node);
      case Kind::power:
        return raised(node);
      case Kind::chain:
        return chained(node);
      case Kind::compare:
        return compared(node);
      case Kind::member:
        return contained(node);
      case Kind::all:
        return joined(node, false);
      case Kind::any:
        return joined(node, true);
      case Kind::call:
        return called(node);
    }
    return {};
  }

 private:
  Scalar fail(const ExpressionNode& node, const std::string& what) {
    if (error_.empty()) error_ = "column " + std::to_string(node.column) + ": " + what;
    return {};
  }
  bool failed() const { return !error_.empty(); }

  /// Absent too if the operand is not a number (which is an error).
  Scalar number(const ExpressionNode& node) {
    const Scalar scalar = run(node);
    if (scalar.absent() || scalar.number()) return scalar;
    return fail(node, "expected a number, got " + described(scalar));
  }

  Scalar finite(const ExpressionNode& node, const Scalar& result) {
    return std::isfinite(result.real) ? result : fail(node, "the result is not finite");
  }

  Scalar negated(const ExpressionNode& node) {
    const auto operand = number(node.children[0]);
    return operand.absent() ? operand : subtract(whole_number(0), operand);
  }

  Scalar inverted(const ExpressionNode& node) {
    const Scalar operand = run(node.children[0]);
    if (operand.absent()) return {};
    const auto holds = truth(operand);
    if (!holds) return fail(node, "expected true or false after `not`, got " + described(operand));
    return Scalar::of(!*holds);
  }

  Scalar raised(const ExpressionNode& node) {
    const auto base = number(node.children[0]);
    const auto exponent = number(node.children[1]);
    if (base.absent() || exponent.absent()) return {};
    return finite(node, power(base, exponent));
  }

  Scalar chained(const ExpressionNode& node) {
    Scalar total = number(node.children[0]);
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
      const ExpressionNode& operand = node.children[i + 1];
      const Scalar next = number(operand);
      if (failed()) return {};
      if (total.absent() || next.absent()) {
        total = {};  // go on: a type error further right must not hide behind an absent operand
        continue;
      }
      const Operator op = node.operators[i];
      const bool divides = op == Operator::divide || op == Operator::modulo;
      if (divides && next.real == 0) return fail(operand, "division by zero");
      total = finite(operand, apply(op, total, next));
    }
    return total;
  }

  static bool equal(const Scalar& a, const Scalar& b) {
    if (a.number() && b.number()) return compare(a, b) == 0;
    return a.kind == b.kind && *a.text == *b.text;
  }

  Scalar compared(const ExpressionNode& node) {
    const Operator op = node.operators[0];
    if (op == Operator::equal || op == Operator::not_equal) {
      const Scalar a = run(node.children[0]);
      const Scalar b = run(node.children[1]);
      if (a.absent() || b.absent()) return {};
      return Scalar::of(equal(a, b) == (op == Operator::equal));
    }
    const Scalar a = number(node.children[0]);
    const Scalar b = number(node.children[1]);
    if (a.absent() || b.absent()) return {};
    const int order = compare(a, b);
    return Scalar::of(op == Operator::less         ? order < 0
                      : op == Operator::less_equal ? order <= 0
                      : op == Operator::greater    ? order > 0
                                                   : order >= 0);
  }

  Scalar contained(const ExpressionNode& node) {
    const Scalar wanted = run(node.children[0]);
    bool found = false;
    bool unsure = wanted.absent();
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      const Scalar each = run(node.children[i]);
      unsure = unsure || each.absent();
      found = found || (!wanted.absent() && !each.absent() && equal(wanted, each));
    }
    if (failed()) return {};
    return found || !unsure ? Scalar::of(found) : Scalar{};
  }

  /// `decisive` ends it: true for `or`, false for `and`. Otherwise one absent operand makes the
  /// result absent.
  Scalar joined(const ExpressionNode& node, bool decisive) {
    bool unsure = false;
    for (const ExpressionNode& child : node.children) {
      const Scalar each = run(child);
      if (failed()) return {};
      if (each.absent()) {
        unsure = true;
        continue;
      }
      const auto holds = truth(each);
      if (!holds) return fail(child, "expected true or false, got " + described(each));
      if (*holds == decisive) return Scalar::of(decisive);
    }
    return unsure ? Scalar{} : Scalar::of(!decisive);
  }

  Scalar called(const ExpressionNode& node) {
    if (node.function == Function::min || node.function == Function::max) return extreme(node);
    const Scalar operand = number(node.children[0]);
    if (operand.absent()) return {};
    const double x = operand.real;
    switch (node.function) {
      case Function::abs:
        return x < 0 ? subtract(whole_number(0), operand) : operand;
      case Function::log:
      case Function::log2:
      case Function::log10:
        return logarithm(node, x);
      case Function::exp:
        return finite(node, real_number(std::exp(x)));
      case Function::sqrt:
        if (x < 0) return fail(node, "square root of the negative number " + to_text(x));
        return real_number(std::sqrt(x));
      case Function::floor:
        return rounded(node, operand, std::floor(x));
      case Function::ceil:
        return rounded(node, operand, std::ceil(x));
      case Function::round:
        return rounded(node, operand, std::round(x));
      default:
        return rounded(node, operand, std::trunc(x));
    }
  }

  Scalar logarithm(const ExpressionNode& node, double x) {
    if (x <= 0) return fail(node, "logarithm of " + to_text(x) + ", which is not above 0");
    if (node.function == Function::log) return real_number(std::log(x));
    return real_number(node.function == Function::log2 ? std::log2(x) : std::log10(x));
  }

  Scalar rounded(const ExpressionNode& node, const Scalar& operand, double result) {
    if (operand.whole()) return whole_number(operand.integer);
    if (std::abs(result) >= 0x1p63) return fail(node, "the result is too large for an integer");
    return whole_number(static_cast<std::int64_t>(result));
  }

  Scalar extreme(const ExpressionNode& node) {
    const int wanted = node.function == Function::min ? -1 : 1;
    Scalar best = number(node.children[0]);
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      const Scalar each = number(node.children[i]);
      if (best.absent() || each.absent()) {
        best = {};
      } else if (compare(each, best) == wanted) {
        best = each;
      }
    }
    return failed() ? Scalar{} : best;
  }

  std::span<const Scalar> slots_;
  std::string& error_;
};

}  // namespace

Value Scalar::value() const {
  switch (kind) {
    case Kind::boolean:
      return integer != 0;
    case Kind::integer:
      return integer;
    case Kind::real:
      return real;
    default:
      BETATUNE_ASSERT(kind == Kind::text);
      return *text;
  }
}

Scalar evaluate_node(const ExpressionNode& node, std::span<const Scalar> slots,
                     std::string& error) {
  error.clear();
  const Scalar result = Evaluator(slots, error).run(node);
  return error.empty() ? result : Scalar{};
}

std::optional<bool> truth(const Scalar& scalar) {
  return scalar.number() ? std::optional(scalar.real != 0) : std::nullopt;
}

}  // namespace betatune
