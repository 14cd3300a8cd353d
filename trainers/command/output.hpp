#pragma once
/// Reads a command's metrics: lines that are JSON objects; all other output is its log.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "searchspaces/outcome.hpp"

namespace betatune {

/// Cuts a stream into lines. A line over the limit is no report: its bytes are passed over.
class LineReader {
 public:
  /// The lines that `bytes` completes, without their newline.
  std::vector<std::string> feed(std::string_view bytes);
  /// The unfinished last line, if any.
  std::optional<std::string> rest();

 private:
  std::string line_;
  bool too_long_ = false;
};

/// What one line of output is.
struct OutputLine {
  enum class Kind { log, report, failure, bad };
  Kind kind = Kind::log;
  std::optional<Step> step;                   ///< report: as written
  Metrics metrics;                            ///< report
  FailureClass failure = FailureClass::user;  ///< failure: {"failed": "oom", "message": "..."}
  std::string message;                        ///< failure, bad: what is wrong
};

/// A line is meant as a report if it is a JSON object that holds "step" or the objective, or
/// nothing but numbers. What is meant as a report and cannot be one is `bad`, never silently a log
/// line.
OutputLine read_output_line(const std::string& line, const std::string& objective);

}  // namespace betatune
