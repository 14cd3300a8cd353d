#include "trainers/command/output.hpp"

#include <utility>

#include "searchspaces/limits.hpp"
#include "trainers/metrics.hpp"

namespace betatune {
namespace {

OutputLine bad(const std::string& line, const std::string& why) {
  OutputLine read;
  read.kind = OutputLine::Kind::bad;
  read.message = why + " in the line: " + clean_text(line, 200);
  return read;
}

OutputLine read_failure(const std::string& line, const Json& json) {
  OutputLine read;
  read.kind = OutputLine::Kind::failure;
  const auto kind = decode_json<FailureClass>(json.at("failed"), "failed");
  if (!kind) return bad(line, kind.error().message);
  read.failure = kind.value();
  if (json.contains("message") && json.at("message").is_string()) {
    read.message = json.at("message").get<std::string>();
  }
  return read;
}

}  // namespace

std::vector<std::string> LineReader::feed(std::string_view bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    too_long_ = too_long_ || line_.size() + piece.size() > limits::kBodyBytes;
    if (too_long_) {
      line_.clear();
    } else {
      line_.append(piece);
    }
    if (end == std::string_view::npos) break;
    if (!std::exchange(too_long_, false)) lines.push_back(std::exchange(line_, {}));
    bytes.remove_prefix(end + 1);
  }
  return lines;
}

std::optional<std::string> LineReader::rest() {
  if (line_.empty()) return std::nullopt;
  return std::exchange(line_, {});
}

OutputLine read_output_line(const std::string& line, const std::string& objective) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos || line[first] != '{') return {};
  auto parsed = parse_trainer_json(line);
  if (!parsed || !parsed.value().is_object() || parsed.value().empty()) return {};
  Json& json = parsed.value();
  if (json.contains("failed")) return read_failure(line, json);

  OutputLine read;
  const bool meant = json.contains("step") || json.contains(objective);
  if (json.contains("step")) {
    const auto step = decode_json<Step>(json.at("step"), "step");
    if (!step || step.value() < 1)
      return bad(line, step ? "step: expected 1, 2, 3 ..." : step.error().message);
    read.step = step.value();
    json.erase("step");
  }
  auto metrics = metrics_from_json(json);
  if (!metrics) return meant ? bad(line, metrics.error().message) : OutputLine{};
  read.kind = OutputLine::Kind::report;
  read.metrics = std::move(metrics).value();
  return read;
}

}  // namespace betatune
