#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "searchspaces/expression_node.hpp"
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

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct Token {
  enum class Kind { end, number, word, name, text, symbol };
  Kind kind = Kind::end;
  std::size_t at = 0;      ///< offset of its first byte
  std::string_view shown;  ///< as written
  Value value = false;     ///< number, or the unquoted text of word, name and text
};

/// Recursive descent, one token of look-ahead. Loosest first: or, and, not, comparison, sum,
/// product, sign, power, atom.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<ExpressionNode> parse() {
    BETATUNE_CHECK(advance());
    BETATUNE_TRY(ExpressionNode root, any());
    if (token_.kind != Token::Kind::end) return unexpected("an operator or the end");
    return root;
  }

 private:
  using Parsed = Result<ExpressionNode>;

  static Error at_column(std::size_t at, const std::string& what) {
    return Error{ErrorKind::invalid_argument, "column " + std::to_string(at + 1) + ": " + what};
  }
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
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    token_ = Token{Token::Kind::end, at_, {}, false};
    if (at_ == text_.size()) return Ok{};
    const char c = text_[at_];
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
      return number();
    }
    if (is_letter(c)) return word();
    if (c == '"' || c == '\'' || c == '`') return quoted(c);
    return symbol();
  }

  Status number() {
    const char* first = text_.data() + at_;
    const char* last = text_.data() + text_.size();
    std::int64_t integer = 0;
    auto end = std::from_chars(first, last, integer);
    double real = 0;
    const auto real_end = std::from_chars(first, last, real);
    token_.kind = Token::Kind::number;
    if (end.ec == std::errc{} && end.ptr == real_end.ptr) {
      token_.value = integer;
    } else {
      end = real_end;
      if (end.ec != std::errc{}) return at_column(at_, "this number is out of range");
      token_.value = real;
    }
    if (end.ptr != last && is_letter(*end.ptr)) {
      return at_column(at_, "expected a number; names begin with a letter");
    }
    take(static_cast<std::size_t>(end.ptr - first));
    return Ok{};
  }

  Status word() {
    std::size_t size = 1;
    while (at_ + size < text_.size() && (is_letter(text_[at_ + size]) ||
                                         is_digit(text_[at_ + size]) || text_[at_ + size] == '.')) {
      ++size;
    }
    token_.kind = Token::Kind::word;
    take(size);
    token_.value = std::string(token_.shown);
    return Ok{};
  }

  /// "text" and 'text', where a backslash takes the next character as it is; `name` without
  /// escapes.
  Status quoted(char quote) {
    std::string inner;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == quote) {
        token_.kind = quote == '`' ? Token::Kind::name : Token::Kind::text;
        if (inner.empty() && quote == '`') return at_column(at_, "expected a name between ` and `");
        take(i + 1 - at_);
        token_.value = std::move(inner);
        return Ok{};
      }
      if (text_[i] == '\\' && quote != '`' && i + 1 < text_.size()) ++i;
      inner += text_[i];
    }
    return at_column(at_, std::string("expected a closing ") + quote + " before the end");
  }

  Status symbol() {
    token_.kind = Token::Kind::symbol;
    const std::string_view two = text_.substr(at_, 2);
    const bool pair = two == "==" || two == "!=" || two == "<=" || two == ">=";
    if (!pair && std::string_view("+-*/%^<>()[],=&|!").find(text_[at_]) == std::string_view::npos) {
      return at_column(at_,
                       "expected a number, a name or an operator, found a character that no "
                       "expression has; put text in quotes");
    }
    take(pair ? 2 : 1);
    return Ok{};
  }

  void take(std::size_t size) {
    token_.shown = text_.substr(at_, size);
    at_ += size;
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

  std::string_view text_;
  std::size_t at_ = 0;
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
