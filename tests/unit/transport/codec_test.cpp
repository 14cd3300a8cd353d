#include "transport/codec.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

Frames frames_of(const std::string& verb, const std::string& body) {
  return {"BTP1", verb, body};
}

std::string refusal(const Frames& frames) {
  const Result<Message> message = decode_message(frames);
  return message ? "accepted" : message.error().message;
}

std::string report_body(const std::string& metrics) {
  return R"({"trial": 1, "attempt": 1, "seq": 1, "step": 1, "metrics": )" + metrics + "}";
}

TEST(Codec, NonFiniteMetricsTravelAsWords) {
  Report report{TrialId{1}, AttemptId{1}, 1, 3, {}, {}};
  report.metrics = {{"a", std::nan("")}, {"b", INFINITY}, {"c", -INFINITY}, {"d", 0.1}};

  const Frames frames = encode_message(report);
  const Result<Message> back = decode_message(frames);

  const Json body = Json::parse(frames[2]);
  EXPECT_EQ(body["metrics"]["a"], "NaN");
  EXPECT_EQ(body["metrics"]["b"], "Infinity");
  EXPECT_EQ(body["metrics"]["c"], "-Infinity");
  ASSERT_TRUE(back) << back.error().message;
  Metrics metrics = std::get<Report>(back.value()).metrics;
  EXPECT_TRUE(std::isnan(metrics.at("a")));
  EXPECT_EQ(metrics.at("b"), INFINITY);
  EXPECT_EQ(metrics.at("c"), -INFINITY);
  EXPECT_EQ(metrics.at("d"), 0.1);
}

TEST(Codec, TheLargestHelloFitsIntoABody) {
  Hello hello;
  hello.trainer = std::string(limits::kNameBytes, 't');
  hello.slots = limits::kSlotsPerTrainer;
  for (int i = 0; i < limits::kSlotsPerTrainer; ++i) {
    const auto n = static_cast<std::uint64_t>(i);
    hello.held.push_back(
        {TrialId{100'000'000 + n}, AttemptId{1'000}, 1'000'000'000, 1'000'000'000});
  }

  const Result<Message> back = decode_message(encode_message(hello));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(std::get<Hello>(back.value()).held.size(), hello.held.size());
}

TEST(Codec, AnAssignmentOfEveryParameterFits) {
  Assign assign;
  for (std::size_t i = 0; i < limits::kParameters; ++i) {
    assign.params.emplace("p" + std::to_string(i) + std::string(limits::kNameBytes - 8, 'x'), 0.1);
  }

  const Result<Message> back = decode_message(encode_message(assign));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(std::get<Assign>(back.value()).params, assign.params);
}

TEST(Codec, BytesThatAreNotUtf8AreReplacedNotFatal) {
  Done done;
  done.end = AttemptEnd::failed;
  done.message = "last words: \xff\xfe\x80";

  const Result<Message> back = decode_message(encode_message(done));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(std::get<Done>(back.value()).message.rfind("last words: ", 0), 0u);
}

TEST(Codec, UnknownFieldsAreIgnored) {
  const Result<Message> back = decode_message(frames_of("READY", R"({"credit": 3, "new": [1]})"));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(std::get<Ready>(back.value()).credit, 3);
}

TEST(Codec, BlobsAfterTheBodyAreAllowedUpToTheLimit) {
  Frames frames = frames_of("READY", R"({"credit": 1})");
  while (frames.size() < limits::kFrames) frames.push_back("blob");
  EXPECT_TRUE(decode_message(frames));

  frames.push_back("one too many");
  EXPECT_EQ(refusal(frames).rfind("malformed: ", 0), 0u);
}

TEST(Codec, UnknownVerbsHaveTheirOwnCode) {
  EXPECT_EQ(refusal(frames_of("DANCE", "{}")), "unknown_verb: `DANCE`");
  EXPECT_EQ(refusal(frames_of("\x01\xff", "{}")), "unknown_verb: `??`");
}

TEST(Codec, NamesWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal(frames_of("READY", R"({"credit": 1.5})")),
            "malformed: READY.credit: expected an integer");
  EXPECT_EQ(refusal(frames_of("READY", R"({"credit": 99999999999})")),
            "malformed: READY.credit: integer out of range");
  EXPECT_EQ(refusal(frames_of("READY", "{}")), "malformed: READY.credit: missing");
  EXPECT_EQ(refusal(frames_of("READY", R"({"credit": 1, "credit": 2})")),
            "malformed: duplicate key `credit`");
  EXPECT_EQ(refusal(frames_of("READY", "[1]")), "malformed: the body is not a JSON object");
  EXPECT_EQ(refusal(frames_of("REPORT", report_body(R"({"loss": "big"})"))),
            "malformed: REPORT.metrics.loss: expected a number, or \"NaN\", \"Infinity\" or "
            "\"-Infinity\"");
  EXPECT_EQ(refusal(frames_of("REPORT", report_body("[]"))),
            "malformed: REPORT.metrics: expected an object");
}

std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::vector<std::string> hostile_bodies() {
  std::string many_keys = "{";
  for (std::size_t i = 0; i <= limits::kBodyKeys; ++i)
    many_keys += "\"" + std::to_string(i) + "\":1,";
  many_keys.back() = '}';
  return {
      "",
      "\0",
      "nul",
      "{",
      "{}}",
      "{\"credit\":",
      "{\"credit\":1e400}",
      "{\"credit\":1",
      "{\"credit\":\"\xc3\x28\"}",
      "{\"a\":" + repeat("[", 100'000),
      "{\"a\":" + repeat("[", 100'000) + repeat("]", 100'000) + "}",
      repeat("{\"a\":", 50'000) + "1" + repeat("}", 50'000),
      "{\"credit\":\"" + std::string(limits::kBodyBytes, 'x') + "\"}",
      many_keys,
      std::string("\x91\x91\x91\x91", 4),
      std::string(1'000, '\xff'),
  };
}

TEST(Codec, HostileBodiesAreTypedErrors) {
  for (const std::string& body : hostile_bodies()) {
    for (const char* verb : {"READY", "REPORT", "HELLO"}) {
      EXPECT_EQ(refusal(frames_of(verb, body)).rfind("malformed: ", 0), 0u)
          << verb << " " << body.substr(0, 40);
    }
  }
}

TEST(Codec, OnlyAHelloThatCannotBeReadIsRefusedForGood) {
  for (const auto& [verb, fatal] :
       {std::pair{"HELLO", true}, {"REPORT", false}, {"DANCE", false}}) {
    const Frames frames = {"BTP1", verb, "{}"};
    const auto message = decode_message(frames);
    ASSERT_FALSE(message);
    const Refusal refusal = refusal_of(message.error(), frames);
    EXPECT_EQ(refusal.fatal, fatal) << verb;
    EXPECT_EQ(refusal.code, verb == std::string("DANCE") ? "unknown_verb" : "malformed");
    EXPECT_EQ(refusal.code + ": " + refusal.message, message.error().message);
  }
  EXPECT_FALSE(refusal_of(Error{ErrorKind::invalid_argument, "malformed: x"}, {}).fatal);
}

TEST(Codec, DepthIsLimitedExactly) {
  const auto body = [](int depth) {
    return "{\"credit\":1,\"x\":" + repeat("[", depth - 1) + repeat("]", depth - 1) + "}";
  };
  EXPECT_TRUE(decode_message(frames_of("READY", body(limits::kBodyDepth))));
  EXPECT_EQ(refusal(frames_of("READY", body(limits::kBodyDepth + 1))),
            "malformed: deeper than 32 levels");
}

TEST(Codec, EightThousandFramesAreRefused) {
  EXPECT_EQ(refusal(Frames(8'000, "BTP1")).rfind("malformed: a message of 8000 frames", 0), 0u);
  EXPECT_EQ(refusal({}).rfind("malformed: a message of 0 frames", 0), 0u);
  EXPECT_EQ(refusal({"BTP1", "READY"}).rfind("malformed: a message of 2 frames", 0), 0u);
  EXPECT_EQ(refusal({"BTP2", "READY", "{}"}), "malformed: the first frame is not BTP1");
}

}  // namespace
}  // namespace betatune
