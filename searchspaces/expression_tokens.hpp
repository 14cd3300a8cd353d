#pragma once
/// Internal to this folder: the words of an expression, one at a time.

#include <string>
#include <string_view>

#include "searchspaces/result.hpp"
#include "searchspaces/value.hpp"

namespace betatune {

/// invalid_argument, beginning with "column 9: ", for the byte at this offset.
Error at_column(std::size_t at, const std::string& what);

struct Token {
  enum class Kind { end, number, word, name, text, symbol };
  Kind kind = Kind::end;
  std::size_t at = 0;      ///< offset of its first byte
  std::string_view shown;  ///< as written
  Value value = false;     ///< number, or the unquoted text of word, name and text
};

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  /// The next token; of kind `end` behind the last one. Errors: invalid_argument.
  Result<Token> next();

 private:
  Result<Token> number();
  Token word();
  Result<Token> quoted(char quote);
  Result<Token> symbol();
  Token take(Token::Kind kind, std::size_t size);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace betatune
