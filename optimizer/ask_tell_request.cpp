#include "optimizer/ask_tell_request.hpp"

#include <fmt/format.h>
#include <limits>
#include <set>

#include "configs/node.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

Error wrong(const std::string& message) {
  return {ErrorKind::invalid_argument, message};
}

/// Parsing and printing nested JSON recurse: what is too deep is refused before.
Status check_text(std::string_view line) {
  if (line.size() > static_cast<std::size_t>(limits::kMessageBytes)) {
    return wrong(fmt::format("the line is longer than {} bytes", limits::kMessageBytes));
  }
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > limits::kBodyDepth) {
        return wrong(fmt::format("nested deeper than {}", limits::kBodyDepth));
      }
    } else if (!quoted && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return Ok{};
}

Result<Json> parse(std::string_view line) {
  BETATUNE_CHECK(check_text(line));
  std::vector<std::set<std::string>> keys;
  std::string twice;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value).second) twice = value;
    return true;
  };
  Json json = Json::parse(line, watch, false);
  if (json.is_discarded()) {
    return wrong(
        "not a JSON object on one line (numbers that are not finite are written as \"NaN\", "
        "\"Infinity\", \"-Infinity\")");
  }
  if (!twice.empty()) return wrong("the key `" + twice + "` appears twice");
  if (!json.is_object()) return wrong("expected a JSON object, such as {\"ask\": 1}");
  return json;
}

Status only_keys(const Json& json, const std::string& path, const std::vector<std::string>& known) {
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = closest(key, known);
    std::string all;
    for (const std::string& each : known) all += " " + each;
    return wrong(fmt::format("{}: unknown key `{}`{}; there are:{}", path, key,
                             near.empty() ? "" : ", did you mean `" + near + "`?", all));
  }
  return Ok{};
}

/// A number, or one of the words for what is not finite.
Result<double> read_number(const Json& json, const std::string& path) {
  if (json.is_number()) return json.get<double>();
  if (json == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (json == "Infinity") return std::numeric_limits<double>::infinity();
  if (json == "-Infinity") return -std::numeric_limits<double>::infinity();
  return wrong(path + ": expected a number, or \"NaN\", \"Infinity\", \"-Infinity\"");
}

Result<Metrics> read_metrics(const Json& json, const std::string& path) {
  if (!json.is_object()) return wrong(path + ": expected an object of names and numbers");
  if (json.size() > limits::kMetricsPerReport) {
    return wrong(fmt::format("{}: more than {} metrics", path, limits::kMetricsPerReport));
  }
  Metrics metrics;
  for (const auto& [name, value] : json.items()) {
    BETATUNE_TRY(metrics[name], read_number(value, path + "." + name));
  }
  return metrics;
}

Result<Told> read_told(const Json& json, const std::string& path, bool may_fail) {
  if (!json.is_object())
    return wrong(path + ": expected an object, such as {\"id\": 0, \"loss\": 1}");
  std::vector<std::string> known = {"id", "loss", "metrics", "step"};
  if (may_fail) known.emplace_back("failed");
  BETATUNE_CHECK(only_keys(json, path, known));
  Told told;
  if (!json.contains("id")) return wrong(path + ".id: missing");
  BETATUNE_TRY(told.id, decode_json<TrialId>(json["id"], path + ".id"));
  if (json.contains("loss")) {
    BETATUNE_TRY(told.loss, read_number(json["loss"], path + ".loss"));
  }
  if (json.contains("metrics")) {
    BETATUNE_TRY(told.metrics, read_metrics(json["metrics"], path + ".metrics"));
  }
  if (json.contains("step")) {
    BETATUNE_TRY(told.step, decode_json<Step>(json["step"], path + ".step"));
    if (*told.step < 0) return wrong(path + ".step: expected 0 or more");
  }
  if (json.contains("failed")) {
    BETATUNE_TRY(told.failed, decode_json<FailureClass>(json["failed"], path + ".failed"));
    if (told.loss) return wrong(path + ": both `loss` and `failed`; which is it?");
  }
  return told;
}

Status expect_one(const Json& json, const std::string& path) {
  if (json == true || json == 1) return Ok{};
  return wrong(path + ": expected 1");
}

Result<AskTellRequest> read_command(const std::string& name, const Json& body) {
  if (name == "ask") {
    BETATUNE_TRY(const std::int64_t count, decode_json<std::int64_t>(body, "ask"));
    if (count < 0 || count > limits::kSlotsPerTrainer) {
      return wrong(fmt::format("ask: expected 0 to {}", limits::kSlotsPerTrainer));
    }
    return AskTellRequest(AskRequest{count});
  }
  if (name == "tell") {
    BETATUNE_TRY(Told told, read_told(body, "tell", true));
    return AskTellRequest(TellRequest{std::move(told)});
  }
  if (name == "report") {
    BETATUNE_TRY(Told told, read_told(body, "report", false));
    return AskTellRequest(ReportRequest{std::move(told)});
  }
  if (name == "enqueue") {
    if (!body.is_object()) return wrong("enqueue: expected {\"params\": {...}}");
    BETATUNE_CHECK(only_keys(body, "enqueue", {"params"}));
    if (!body.contains("params")) return wrong("enqueue.params: missing");
    BETATUNE_TRY(Configuration params,
                 decode_json<Configuration>(body["params"], "enqueue.params"));
    return AskTellRequest(EnqueueByHand{std::move(params)});
  }
  BETATUNE_CHECK(expect_one(body, name));
  if (name == "best") return AskTellRequest(BestRequest{});
  if (name == "recommend") return AskTellRequest(RecommendRequest{});
  return AskTellRequest(CloseRequest{});
}

}  // namespace

Result<AskTellRequest> parse_ask_tell(std::string_view line) {
  BETATUNE_TRY(const Json json, parse(line));
  BETATUNE_CHECK(only_keys(json, "request",
                           {"ask", "tell", "report", "enqueue", "best", "recommend", "close"}));
  if (json.size() != 1) return wrong("expected exactly one command, such as {\"ask\": 1}");
  return read_command(json.begin().key(), json.begin().value());
}

}  // namespace betatune
