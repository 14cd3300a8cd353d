// docs/protocol.md against the program: its tables of verbs, error codes and limits come from what
// encodes, refuses and counts; its transcripts are the files that the conformance kit writes, and
// messages that this program reads. BETATUNE_UPDATE_GOLDEN=1 writes tables and transcripts anew.

#include <cstdlib>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/protocol_schema.hpp"
#include "optimizer/refusal_limit.hpp"
#include "searchspaces/limits.hpp"
#include "tests/support/docs_page.hpp"
#include "tests/support/json_schema_tools.hpp"
#include "transport/codec.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

const fs::path kSource = BETATUNE_SOURCE_DIR;
const fs::path kPage = kSource / "docs/protocol.md";

/// A number's bounds, a text's or a list's length.
std::string bounds(const Json& schema, const char* least, const char* most) {
  const bool below = schema.contains(least), above = schema.contains(most);
  if (below && above) return fmt::format("{} to {}", schema[least].dump(), schema[most].dump());
  if (below) return "at least " + schema[least].dump();
  return above ? "at most " + schema[most].dump() : "";
}

std::string type_of_field(const Json& schema) {
  if (schema.contains("title")) return "`" + schema["title"].get<std::string>() + "`";
  if (schema.contains("enum")) return support::type_text(schema);
  const std::string type = schema.value("type", "anything");
  if (type == "array") return "list of " + type_of_field(schema["items"]);
  if (type == "boolean") return "true/false";
  if (type == "integer") {
    const std::string range = bounds(schema, "minimum", "maximum");
    return range.empty() ? "integer" : "integer, " + range;
  }
  if (type == "string") {
    if (schema.value("pattern", "") == "^[0-9a-f]{32}$") return "text of 32 hex digits";
    const std::string length = bounds(schema, "minLength", "maxLength");
    return length.empty() ? "text" : "text, " + length + " bytes";
  }
  if (!schema.contains("additionalProperties")) return "object";
  const Json& value = schema["additionalProperties"];
  const std::string most = bounds(schema, "minProperties", "maxProperties");
  return "object of " + most + (most.empty() ? "" : " ") +
         (value.contains("anyOf") ? "numbers" : "scalars");
}

std::string field_table(const Json& object) {
  const Json required = object.value("required", Json::array());
  std::string text = "| field | type | if left out | meaning |\n| --- | --- | --- | --- |\n";
  for (const Json& name : object["x-order"]) {
    const Json& schema = object["properties"][name.get<std::string>()];
    const bool needed = std::find(required.begin(), required.end(), name) != required.end();
    const std::string otherwise =
        schema.contains("default") ? support::code(schema["default"]) : "none";
    text += fmt::format("| {} | {} | {} | {} |\n", support::code(name), type_of_field(schema),
                        needed ? "refused" : otherwise, schema.value("description", ""));
  }
  return text;
}

std::string code_table() {
  std::string text = "| code | meaning | the trainer |\n| --- | --- | --- |\n";
  for (const ErrorCode& each : kErrorCodes) {
    text += fmt::format("| `{}` | {} | {} |\n", each.code, each.meaning, each.trainer);
  }
  return text;
}

std::string limit_table() {
  std::string text = "| limit | value | beyond it |\n| --- | --- | --- |\n";
  const auto row = [&](const char* what, auto value, const char* beyond) {
    text += fmt::format("| {} | {} | {} |\n", what, value, beyond);
  };
  row("frames of a message", limits::kFrames, "ERROR `malformed`");
  row("bytes of a frame", limits::kMessageBytes, "the connection ends");
  row("bytes of a body", limits::kBodyBytes, "ERROR `malformed`");
  row("levels of a body, its own object counted", limits::kBodyDepth, "ERROR `malformed`");
  row("keys of one object in a body", limits::kBodyKeys, "ERROR `malformed`");
  row("slots of a trainer", limits::kSlotsPerTrainer, "ERROR `too_many_slots`");
  row("bytes of the name of a trainer or of a metric", limits::kNameBytes, "ERROR `malformed`");
  row("metrics of a REPORT", limits::kMetricsPerReport, "ERROR `malformed`");
  row("unacknowledged reports of one attempt on the way", limits::kUnacknowledgedReports,
      "not checked");
  row("bytes of a file in one message", limits::kFileChunkBytes, "STORED `problem`");
  row("bytes of a file's path", limits::kFilePathBytes, "STORED `problem`");
  row("files of a folder that travels", limits::kFilesPerFolder, "STORED `problem`");
  row("parts of files that wait in the optimizer", limits::kFileChunksWaiting, "dropped");
  row("bytes of a DONE's message", limits::kErrorTextBytes, "the optimizer cuts it");
  row("bytes of the path of an ipc socket", limits::kSocketPathBytes, "refused at the start");
  row("refusals per second of one connection", RefusalLimit::kPerSecond,
      "what it sends is dropped unread until that second is over; if it goes on, the connection "
      "ends");
  row("refusals per second of all connections", RefusalLimit::kOfAllPerSecond,
      "the same for every connection with one refusal more");
  row("messages that wait for a peer that does not read, or are not read yet",
      ZmqSocket::kHighWaterMessages, "to it: dropped; from it: they wait at their sender");
  return text;
}

/// tests/golden/protocol: recorded from the program by tck_transcripts_test.py, which compares
/// them.
std::map<std::string, std::string> transcript_blocks() {
  std::map<std::string, std::string> blocks;
  for (const auto& each : fs::directory_iterator(kSource / "tests/golden/protocol")) {
    const std::string text = support::file_text(each.path());
    const std::string messages = text.substr(text.find('\n') + 1);  // behind the line about it
    blocks[each.path().stem().string()] = "```text\n" + messages + "```\n";
  }
  return blocks;
}

TEST(ProtocolPage, HasEveryVerbFieldCodeLimitAndTranscriptOfTheProgram) {
  const std::string page = support::file_text(kPage);
  std::map<std::string, std::string> blocks = {{"error codes", code_table()},
                                               {"limits", limit_table()}};
  const Json definitions = protocol_schema()["$defs"];
  for (const auto& [name, schema] : definitions.items()) blocks[name] = field_table(schema);
  blocks.merge(transcript_blocks());

  const std::string wanted = support::with_blocks(page, blocks);

  if (std::getenv("BETATUNE_UPDATE_GOLDEN") != nullptr) std::ofstream(kPage) << wanted;
  EXPECT_EQ(page, wanted) << "BETATUNE_UPDATE_GOLDEN=1 tests/golden_optimizer writes the tables";
}

TEST(ProtocolPage, SchemaHasEveryVerbOfTheCode) {
  const Json definitions = protocol_schema()["$defs"];
  std::set<std::string> verbs;
  for (const auto& [name, schema] : definitions.items()) {
    if (schema.contains("x-direction")) verbs.insert(name);
  }

  std::set<std::string> coded;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (coded.insert(std::variant_alternative_t<I, Message>::kType), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Message>>{});
  EXPECT_EQ(verbs, coded);
}

TEST(ProtocolPage, HasEveryCodeThatTheSourcesRefuseWith) {
  std::set<std::string> listed, used;
  for (const ErrorCode& each : kErrorCodes) listed.insert(each.code);
  const std::regex calls(
      R"re(refuse(?:_work)?\(\s*[^,()]+,\s*"(\w+)"|"(\w+): (?:`"|" \+)|Refusal\{\s*"(\w+)")re");
  for (const char* file :
       {"optimizer/coordinator_messages.cpp", "optimizer/gate.cpp", "transport/codec.cpp"}) {
    const std::string text = support::file_text(kSource / file);
    for (std::sregex_iterator at(text.begin(), text.end(), calls), end; at != end; ++at) {
      for (std::size_t group = 1; group <= 3; ++group) {
        if ((*at)[group].matched) used.insert((*at)[group].str());
      }
    }
  }

  EXPECT_EQ(used, listed);
}

/// "T> VERB {...}" or "O> VERB {...}".
struct Said {
  bool by_trainer = false;
  std::string verb, body, line;
};

std::vector<Said> transcripts() {
  std::istringstream lines(support::file_text(kPage));
  const std::regex form(R"(^([TO])> ([A-Z]+) (\{.*\})(?: \(\d+ bytes\))?$)");
  std::vector<Said> found;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, form)) {
      found.push_back({match[1] == "T", match[2], match[3], line});
    }
  }
  return found;
}

TEST(ProtocolPage, TranscriptsAreMessagesOfTheSchemaInTheirDirection) {
  const Json definitions = protocol_schema()["$defs"];
  std::set<std::string> shown;
  for (const Said& said : transcripts()) {
    shown.insert(said.verb);
    const auto message = decode_message({"BTP1", said.verb, said.body});
    EXPECT_TRUE(message) << said.line << "\n" << (message ? "" : message.error().message);
    ASSERT_TRUE(definitions.contains(said.verb)) << said.line;
    const Json& schema = definitions[said.verb];
    EXPECT_THAT(support::schema_problems(Json::parse(said.body), schema), IsEmpty()) << said.line;
    const std::string against = said.by_trainer ? "optimizer to trainer" : "trainer to optimizer";
    EXPECT_NE(schema["x-direction"], against) << said.line;
  }
  EXPECT_EQ(shown.size(), std::variant_size_v<Message>) << "a verb is never shown";
}

}  // namespace
}  // namespace betatune
