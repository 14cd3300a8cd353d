#include <array>
#include <utility>

#include "searchspaces/expression_node.hpp"
#include "searchspaces/expression_tokens.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {

namespace {

using Kind = ExpressionNode::Kind;

constexpr std::array kComparisons = {
    std::pair{"==", Operator::equal},      std::pair{"!=", Operator::not_equal},
    std::pair{"<=", Operator::less_equal}, std::pair{">=", Operator::greater_equal},
    std::pair{"<", Operator::less},        std::pair{">", Operator::greater}};
constexpr std::array kSums = {std::pair{"+", Operator::add}, std::pair{"-", Operator::subtract}};
constexpr std::array kProducts = {std::pair{"*", Operator::multiply},
                                  std::pair{"/", Operator::divide},
                                  std::pair{"%", Operator::modulo}};

/// Recursive descent, one token of look-ahead. Loosest first: or, and, not, comparison, sum,
/// product, sign, power, atom.
class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(text) {}

  Result<ExpressionNode> parse() {
    BETATUNE_CHECK(advance());
    BETATUNE_TRY(ExpressionNode root, any());
    if (token_.kind != Token::Kind::end) return unexpected("an operator or the end");
    return root;
  }

 private:
  using Parsed = Result<ExpressionNode>;

  Error unexpected(const std::string& expected) const {
    const std::string found =
        token_.kind == Token::Kind::end ? "the end" : "`" + std::string(token_.shown) + "`";
    return at_column(token_.at, "expected " + expected + ", found " + found + hint());
  }
  std::string hint() const {
    if (token_.shown == "=") return "; write `==` to compare";
    if (token_.shown == "&") return "; write `and`";
    if (token_.shown == "|") return "; write `or`";
    if (token_.shown == "!") return "; write `not`";
    if (token_.shown.size() <= 2 && !token_.shown.empty() &&
        (token_.shown[0] == '<' || token_.shown[0] == '>')) {
      return "; join two comparisons with `and`";
    }
    return {};
  }

  // ---- tokens ----

  Status advance() {
    BETATUNE_TRY(token_, tokens_.next());
    return Ok{};
  }

  bool is_word(std::string_view word) const {
    return token_.kind == Token::Kind::word && token_.shown == word;
  }
  bool is_symbol(std::string_view symbol) const {
    return token_.kind == Token::Kind::symbol && token_.shown == symbol;
  }
  Status expect(std::string_view symbol) {
    if (!is_symbol(symbol)) return unexpected("`" + std::string(symbol) + "`");
    return advance();
  }
  template <class Table>
  const Operator* operator_of(const Table& table) const {
    if (token_.kind != Token::Kind::symbol) return nullptr;
    for (const auto& [symbol, op] : table) {
      if (token_.shown == symbol) return &op;
    }
    return nullptr;
  }

  // ---- grammar ----

  ExpressionNode node(Kind kind) const {
    ExpressionNode made;
    made.kind = kind;
    made.column = static_cast<int>(token_.at) + 1;
    return made;
  }

  /// Runs `rule` one level deeper, so that no input can exhaust the stack here or in the evaluator.
  Parsed deeper(Parsed (Parser::*rule)()) {
    if (depth_ == limits::kExpressionDepth) {
      return at_column(token_.at, "expected at most " + std::to_string(limits::kExpressionDepth) +
                                      " levels of nesting; simplify the expression");
    }
    ++depth_;
    Parsed parsed = (this->*rule)();
    --depth_;
    return parsed;
  }

  Parsed words(Kind kind, std::string_view word, Parsed (Parser::*rule)()) {
    ExpressionNode made = node(kind);
    BETATUNE_TRY(ExpressionNode first, (this->*rule)());
    if (!is_word(word)) return first;
    made.children.push_back(std::move(first));
    while (is_word(word)) {
      BETATUNE_CHECK(advance());
      BETATUNE_TRY(ExpressionNode next, (this->*rule)());
      made.children.push_back(std::move(next));
    }
    return made;
  }
  Parsed any() { return words(Kind::any, "or", &Parser::all); }
  Parsed all() { return words(Kind::all, "and", &Parser::inverted); }

  Parsed inverted() {
    if (!is_word("not")) return comparison();
    ExpressionNode made = node(Kind::invert);
    BETATUNE_CHECK(advance());
    BETATUNE_TRY(ExpressionNode inner, deeper(&Parser::inverted));
    made.children.push_back(std::move(inner));
    return made;
  }

  Parsed comparison() {
    BETATUNE_TRY(ExpressionNode left, sum());
    ExpressionNode made = node(Kind::compare);
    if (const Operator* op = operator_of(kComparisons)) {
      made.operators.push_back(*op);
      BETATUNE_CHECK(advance());
      BETATUNE_TRY(ExpressionNode right, sum());
      made.children.push_back(std::move(left));
      made.children.push_back(std::move(right));
      return made;
    }
    if (is_word("in") || is_word("not")) return member(std::move(left));
    return left;
  }

  Parsed member(ExpressionNode left) {
    ExpressionNode outer = node(Kind::invert);
    const bool inverse = is_word("not");
    if (inverse) {
      BETATUNE_CHECK(advance());
    }
    if (!is_word("in")) return unexpected("`in`");
    ExpressionNode made = node(Kind::member);
    BETATUNE_CHECK(advance());
    BETATUNE_CHECK(expect("["));
    made.children.push_back(std::move(left));
    BETATUNE_CHECK(list("]", &Parser::sum, made.children));
    if (!inverse) return made;
    outer.children.push_back(std::move(made));
    return outer;
  }

  /// item {, item} closing.
  Status list(std::string_view closing, Parsed (Parser::*rule)(),
              std::vector<ExpressionNode>& into) {
    while (true) {
      BETATUNE_TRY(ExpressionNode each, deeper(rule));
      into.push_back(std::move(each));
      if (is_symbol(closing)) return advance();
      if (!is_symbol(",")) return unexpected("`,` or `" + std::string(closing) + "`");
      BETATUNE_CHECK(advance());
    }
  }

  template <class Table>
  Parsed chain(const Table& table, Parsed (Parser::*rule)()) {
    BETATUNE_TRY(ExpressionNode first, (this->*rule)());
    if (operator_of(table) == nullptr) return first;
    ExpressionNode made = node(Kind::chain);
    made.children.push_back(std::move(first));
    while (const Operator* op = operator_of(table)) {
      made.operators.push_back(*op);
      BETATUNE_CHECK(advance());
      BETATUNE_TRY(ExpressionNode next, (this->*rule)());
      made.children.push_back(std::move(next));
    }
    return made;
  }
  Parsed sum() { return chain(kSums, &Parser::product); }
  Parsed product() { return chain(kProducts, &Parser::sign); }

  Parsed sign() {
    if (is_symbol("+")) {
      BETATUNE_CHECK(advance());
      return deeper(&Parser::sign);
    }
    if (!is_symbol("-")) return power();
    ExpressionNode made = node(Kind::negate);
    BETATUNE_CHECK(advance());
    BETATUNE_TRY(ExpressionNode inner, deeper(&Parser::sign));
    made.children.push_back(std::move(inner));
    return made;
  }

  Parsed power() {
    BETATUNE_TRY(ExpressionNode base, atom());
    if (!is_symbol("^")) return base;
    ExpressionNode made = node(Kind::power);
    BETATUNE_CHECK(advance());
    BETATUNE_TRY(ExpressionNode exponent, deeper(&Parser::sign));
    made.children.push_back(std::move(base));
    made.children.push_back(std::move(exponent));
    return made;
  }

  Parsed atom() {
    ExpressionNode made = node(Kind::literal);
    if (is_symbol("(")) {
      BETATUNE_CHECK(advance());
      BETATUNE_TRY(ExpressionNode inner, deeper(&Parser::any));
      BETATUNE_CHECK(expect(")"));
      return inner;
    }
    if (token_.kind == Token::Kind::number || token_.kind == Token::Kind::text) {
      made.literal = token_.value;
      BETATUNE_CHECK(advance());
      return made;
    }
    if (is_word("true") || is_word("false")) {
      made.literal = is_word("true");
      BETATUNE_CHECK(advance());
      return made;
    }
    if (token_.kind == Token::Kind::name ||
        (token_.kind == Token::Kind::word && !is_reserved_word(token_.shown))) {
      return name_or_call(std::move(made));
    }
    return unexpected("a number, a name or `(`");
  }

  Parsed name_or_call(ExpressionNode made) {
    const Token token = token_;
    made.kind = Kind::name;
    made.name = std::get<std::string>(token.value);
    BETATUNE_CHECK(advance());
    if (token.kind == Token::Kind::name || !is_symbol("(")) return made;
    const std::optional<Function> function = function_named(token.shown);
    if (!function) {
      return at_column(token.at, "expected a function before `(`, one of: " + function_names());
    }
    made.kind = Kind::call;
    made.function = *function;
    BETATUNE_CHECK(advance());
    BETATUNE_CHECK(list(")", &Parser::any, made.children));
    const bool many = *function == Function::min || *function == Function::max;
    if (!many && made.children.size() != 1) {
      return at_column(token.at, "expected one argument for " + made.name);
    }
    return made;
  }

  Tokenizer tokens_;
  int depth_ = 0;
  Token token_;
};

}  // namespace

Result<ExpressionNode> parse_expression(std::string_view text) {
  if (text.size() > limits::kExpressionBytes) {
    return Error{ErrorKind::invalid_argument,
                 "column 1: expected at most " + std::to_string(limits::kExpressionBytes) +
                     " bytes, got " + std::to_string(text.size()) + "; split the expression"};
  }
  return Parser(text).parse();
}

}  // namespace betatune
