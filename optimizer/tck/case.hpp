#pragma once
/// The conformance kit of BTP/1: cases that drive an implementation through a conversation and say
/// what is wrong with its side of it. docs/protocol.md is the specification that each case cites.

#include <functional>
#include <string>
#include <vector>

#include "searchspaces/result.hpp"
#include "searchspaces/schema.hpp"

namespace betatune::tck {

/// As in RFC 2119. Only a broken MUST makes an implementation fail.
enum class Level { must, should, may };
constexpr auto enum_names(Level) {
  using enum Level;
  return std::array{EnumName<Level>{must, "MUST"}, EnumName<Level>{should, "SHOULD"},
                    EnumName<Level>{may, "MAY"}};
}

/// Ok: passed. An error of kind unsupported: skipped, and why; any other: what is wrong.
template <class Script>
struct Case {
  const char* id;  ///< "T-ATTEMPT-3": stable, so that reports can be compared
  Level level;
  const char* section;  ///< heading of docs/protocol.md
  const char* title;    ///< what holds, as a sentence
  Status (*run)(Script&);
};

inline Error wrong(std::string what) {
  return Error{ErrorKind::invalid_argument, std::move(what)};
}
inline Error skipped(std::string why) {
  return Error{ErrorKind::unsupported, std::move(why)};
}

enum class Verdict { passed, failed, skipped };
constexpr auto enum_names(Verdict) {
  using enum Verdict;
  return std::array{EnumName<Verdict>{passed, "passed"}, EnumName<Verdict>{failed, "failed"},
                    EnumName<Verdict>{skipped, "skipped"}};
}

struct Outcome {
  std::string id, section, title;
  Level level = Level::must;
  Verdict verdict = Verdict::passed;
  std::string message;  ///< why it failed or was skipped
  double seconds = 0;
  std::vector<std::string> transcript;  ///< "T> HELLO {...}", whatever the verdict
};

}  // namespace betatune::tck
