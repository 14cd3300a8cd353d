#include "transport/codec.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

constexpr const char* kTag = "BTP1";
constexpr std::size_t kBodyFrame = 2;
constexpr std::size_t kBytesFrame = 3;

template <class T>
constexpr bool kHasBytes = std::is_same_v<T, PutFile> || std::is_same_v<T, FileData>;

Error malformed(const std::string& what) {
  return Error{ErrorKind::invalid_argument, "malformed: " + what};
}

/// Builds a Json from parser events, refusing what a peer must not send. The default parser accepts
/// any depth (and crashes when such a value is dumped), and lets the last of two equal keys win.
class LimitedBuilder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  // The parser's names for its events.
  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(number_integer_t value) { return put(value); }
  bool number_unsigned(number_unsigned_t value) { return put(value); }
  bool number_float(number_float_t value, const string_t&) { return put(value); }
  bool string(string_t& value) { return put(std::move(value)); }
  bool binary(binary_t&) { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_array() { return close(); }
  bool key(string_t& name) {
    Json& object = *open_.back();
    if (object.size() >= limits::kBodyKeys) {
      return fail("more than " + std::to_string(limits::kBodyKeys) + " keys in one object");
    }
    const auto [at, fresh] = object.get_ref<Json::object_t&>().emplace(name, nullptr);
    if (!fresh) return fail("duplicate key `" + name.substr(0, limits::kNameBytes) + "`");
    slot_ = &at->second;
    return true;
  }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    return fail("not JSON at byte " + std::to_string(position));
  }

  Json& root() { return root_; }
  const std::string& problem() const { return problem_; }

 private:
  bool fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  /// Where the next value belongs. Containers grow only at their open end, so the addresses of open
  /// ones stay: an element of an array is complete before its sibling is appended.
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_object()) {
      *slot_ = std::move(value);
      return slot_;
    }
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= static_cast<std::size_t>(limits::kBodyDepth)) {
      return fail("deeper than " + std::to_string(limits::kBodyDepth) + " levels");
    }
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
  std::string problem_;
};

/// NaN would be dumped as null: non-finite numbers travel as words.
void spell_non_finite(Json& json) {
  if (json.is_number_float()) {
    const double number = json.get<double>();
    if (std::isnan(number)) json = "NaN";
    if (std::isinf(number)) json = number > 0 ? "Infinity" : "-Infinity";
  } else if (json.is_structured()) {
    for (Json& each : json) spell_non_finite(each);
  }
}

Result<double> metric_from_json(const Json& json, const std::string& name) {
  if (json.is_number()) {
    return json.get<double>();
  }
  if (json.is_string()) {
    const auto& word = json.get_ref<const std::string&>();
    if (word == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (word == "Infinity") return std::numeric_limits<double>::infinity();
    if (word == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  return malformed("REPORT.metrics." + name +
                   ": expected a number, or \"NaN\", \"Infinity\" or \"-Infinity\"");
}

/// The schema's reader takes finite numbers only, which is right everywhere else.
Result<Metrics> take_metrics(Json& body) {
  Metrics metrics;
  const auto found = body.find("metrics");
  if (found == body.end() || found->is_null()) return metrics;
  if (!found->is_object()) return malformed("REPORT.metrics: expected an object");
  for (const auto& [name, json] : found->items()) {
    BETATUNE_TRY(metrics[name], metric_from_json(json, name));
  }
  body.erase(found);
  return metrics;
}

Result<Json> parse_body(const std::string& text) {
  if (text.size() > limits::kBodyBytes) {
    return malformed("a body of " + std::to_string(text.size()) + " bytes; at most " +
                     std::to_string(limits::kBodyBytes));
  }
  LimitedBuilder builder;
  if (!Json::sax_parse(text, &builder)) return malformed(builder.problem());
  if (!builder.root().is_object()) return malformed("the body is not a JSON object");
  return std::move(builder.root());
}

template <std::size_t I = 0>
Result<Message> decode_verb(const std::string& verb, const Json& body, const Frames& frames) {
  if constexpr (I == std::variant_size_v<Message>) {
    std::string shown = verb.substr(0, 32);
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return Error{ErrorKind::invalid_argument, "unknown_verb: `" + shown + "`"};
  } else {
    using T = std::variant_alternative_t<I, Message>;
    if (verb != T::kType) return decode_verb<I + 1>(verb, body, frames);
    auto message = decode_json<T>(body, T::kType);
    if (!message) return malformed(message.error().message);
    if constexpr (kHasBytes<T>) {
      if (frames.size() > kBytesFrame) message.value().bytes = frames[kBytesFrame];
    }
    return Message(std::move(message).value());
  }
}

}  // namespace

Frames encode_message(const Message& message) {
  return std::visit(
      [](const auto& each) {
        Json body = encode_json(each);
        spell_non_finite(body);
        // Texts for people (a dying process's last words) may hold bytes that are not UTF-8.
        using T = std::decay_t<decltype(each)>;
        Frames frames{kTag, T::kType, json_text(body)};
        if constexpr (kHasBytes<T>) frames.push_back(each.bytes);
        return frames;
      },
      message);
}

Result<Message> decode_message(const Frames& frames) {
  if (frames.size() <= kBodyFrame || frames.size() > limits::kFrames) {
    return malformed("a message of " + std::to_string(frames.size()) + " frames; at least " +
                     std::to_string(kBodyFrame + 1) + " and at most " +
                     std::to_string(limits::kFrames));
  }
  if (frames[0] != kTag) return malformed(std::string("the first frame is not ") + kTag);
  BETATUNE_TRY(Json body, parse_body(frames[kBodyFrame]));
  Metrics metrics;
  const bool is_report = frames[1] == Report::kType;
  if (is_report) {
    BETATUNE_TRY(metrics, take_metrics(body));
  }
  BETATUNE_TRY(Message message, decode_verb(frames[1], body, frames));
  if (is_report) std::get<Report>(message).metrics = std::move(metrics);
  return message;
}

Refusal refusal_of(const Error& error, const Frames& frames) {
  const std::string& text = error.message;
  const std::size_t colon = std::min(text.find(':'), text.size());
  Refusal refusal;
  refusal.code = text.substr(0, colon);
  refusal.message = text.substr(std::min(colon + 2, text.size()));
  refusal.fatal = frames.size() > 1 && frames[1] == Hello::kType;
  return refusal;
}

}  // namespace betatune
