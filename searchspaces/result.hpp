#pragma once
/// Expected failures as values, and assertions that stay on in release builds.
///
/// A bug (a broken invariant) is an assertion: it prints what is known and aborts. Everything that
/// the outside world can cause (a file, a peer, a YAML key, a plug-in) is a `Result`.

#include <string>
#include <utility>
#include <variant>

namespace betatune {

enum class ErrorKind {
  invalid_argument,  ///< the caller's input is wrong; the message says what, where and what to do
  not_found,
  conflict,     ///< someone else holds it, or another truth is already recorded
  corrupt,      ///< stored bytes are not what was written
  unavailable,  ///< may work later (disk full, peer away)
  timeout,
  unsupported,  ///< understood, but not by this build
};

struct Error {
  ErrorKind kind = ErrorKind::invalid_argument;
  std::string message;
};

struct Ok {};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Implicit on purpose: `return value;` and `return Error{...};` both read as what they are.
  Result(T value) : held_(std::move(value)) {}
  Result(Error error) : held_(std::move(error)) {}

  explicit operator bool() const { return held_.index() == 0; }
  /// Precondition for `value`: the result holds one. Precondition for `error`: it does not.
  const T& value() const& { return std::get<0>(held_); }
  T& value() & { return std::get<0>(held_); }
  T&& value() && { return std::get<0>(std::move(held_)); }
  const Error& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, Error> held_;
};

using Status = Result<Ok>;

/// Prints `expression`, the place and `message` to stderr and aborts (exit by SIGABRT).
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line,
                                   const std::string& message = {});

}  // namespace betatune

/// One fact per assertion. Never for input from outside.
#define BETATUNE_ASSERT(condition)    \
  ((condition) ? static_cast<void>(0) \
               : ::betatune::assertion_failed(#condition, __FILE__, __LINE__))

#define BETATUNE_CONCAT_(a, b) a##b
#define BETATUNE_CONCAT(a, b) BETATUNE_CONCAT_(a, b)

/// `BETATUNE_TRY(auto x, f())`: x is f()'s value, or the enclosing function returns f()'s error.
#define BETATUNE_TRY(declaration, expression) \
  BETATUNE_TRY_(BETATUNE_CONCAT(betatune_result_, __LINE__), declaration, expression)
#define BETATUNE_TRY_(name, declaration, expression) \
  auto name = (expression);                          \
  if (!name) return name.error();                    \
  declaration = std::move(name).value()

/// The same for a Status whose value is of no interest.
#define BETATUNE_CHECK(expression) \
  if (auto betatune_status = (expression); !betatune_status) return betatune_status.error()
