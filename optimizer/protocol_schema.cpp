#include "optimizer/protocol_schema.hpp"

#include "configs/field_schema.hpp"
#include "searchspaces/limits.hpp"
#include "transport/message.hpp"

namespace betatune {

// Only messages have ids: a study file names nothing by a number that the optimizer has given.
template <>
Json schema_of<TrialId>() {
  return {{"type", "integer"}, {"minimum", 0}};
}
template <>
Json schema_of<AttemptId>() {
  return {{"type", "integer"}, {"minimum", 1}};
}

namespace {

constexpr const char* kToOptimizer = "trainer to optimizer";
constexpr const char* kToTrainer = "optimizer to trainer";
constexpr const char* kBothWays = "both ways";
constexpr std::int64_t kSeedMax = (std::int64_t{1} << 53) - 1;

Json at_least(std::int64_t least) {
  return {{"minimum", least}};
}

/// Both sides ignore what they do not know, so that fields can be added.
void allow_unknown_keys(Json& schema) {
  if (schema.is_object() && schema.contains("x-order")) schema["additionalProperties"] = true;
  if (!schema.is_structured()) return;
  for (Json& each : schema) allow_unknown_keys(each);
}

/// A definition, with limits by field.
class Definition {
 public:
  explicit Definition(Json schema) : schema_(std::move(schema)) { allow_unknown_keys(schema_); }

  Definition& limit(const std::string& field, const Json& limits) {
    schema_["properties"].at(field).update(limits);
    return *this;
  }
  /// An object inside, or a list of such, by its own name.
  Definition& inside(const std::string& field, const char* name) {
    Json& place = schema_["properties"].at(field);
    (place.contains("items") ? place["items"] : place)["title"] = name;
    return *this;
  }
  Definition& direction(const char* direction) {
    schema_["x-direction"] = direction;
    return *this;
  }
  Json schema() const { return schema_; }

 private:
  Json schema_;
};

template <class T>
Definition from(const char* direction) {
  return Definition(schema_of<T>()).direction(direction);
}

Json metrics_schema() {
  const Json word = {{"enum", {"NaN", "Infinity", "-Infinity"}}};
  return {{"additionalProperties", {{"anyOf", {{{"type", "number"}}, word}}}},
          {"maxProperties", limits::kMetricsPerReport}};
}

Json error_codes() {
  Json codes = Json::array();
  for (const ErrorCode& each : kErrorCodes) codes.push_back(each.code);
  return {{"examples", codes}};
}

Json objects_inside() {
  Definition held(schema_of<Held>()), artifact(schema_of<ArtifactRef>()),
      job(schema_of<TrainerJob>());
  held.limit("step", at_least(0));
  artifact.limit("uri", {{"pattern", "^[^/]"}})
      .limit("step", at_least(0))
      .limit("digest", {{"pattern", "^[0-9a-f]{64}$"}});
  job.limit("cpus", at_least(1)).limit("gpus", at_least(0));
  job.limit("ranks", at_least(1)).limit("rank_timeout_ms", at_least(1));
  job.limit("slots", at_least(1));
  for (const char* each : {"wall_time_ms", "silence_ms", "checkpoint_every_ms"}) {
    job.limit(each, at_least(0));
  }
  return {
      {"Held", held.schema()}, {"TrainerJob", job.schema()}, {"ArtifactRef", artifact.schema()}};
}

Json of_trainers() {
  Definition hello = from<Hello>(kToOptimizer), ready = from<Ready>(kToOptimizer),
             report = from<Report>(kToOptimizer), done = from<Done>(kToOptimizer);
  hello.limit("protocol_min", at_least(1))
      .limit("protocol_max", at_least(1))
      .limit("trainer", {{"minLength", 1}, {"maxLength", limits::kNameBytes}})
      .limit("session", {{"pattern", "^[0-9a-f]{32}$"}})
      .limit("slots", {{"minimum", 1}, {"maximum", limits::kSlotsPerTrainer}})
      .inside("held", "Held");
  ready.limit("credit", {{"minimum", 0}, {"maximum", limits::kSlotsPerTrainer}});
  report.limit("seq", at_least(1))
      .limit("step", at_least(0))
      .limit("metrics", metrics_schema())
      .inside("checkpoint", "ArtifactRef");
  done.limit("step", at_least(0))
      .limit("end", {{"enum", {"reached", "stopped", "paused", "failed"}}})
      .limit("message", {{"maxLength", limits::kErrorTextBytes}});
  Definition put = from<PutFile>(kToOptimizer), get = from<GetFile>(kToOptimizer);
  put.limit("path", {{"maxLength", limits::kFilePathBytes}})
      .limit("digest", {{"pattern", "^[0-9a-f]{64}$"}});
  get.limit("path", {{"maxLength", limits::kFilePathBytes}});
  return {{PutFile::kType, put.schema()},   {GetFile::kType, get.schema()},
          {Hello::kType, hello.schema()},   {Ready::kType, ready.schema()},
          {Report::kType, report.schema()}, {Done::kType, done.schema()}};
}

Json of_optimizers() {
  Definition welcome = from<Welcome>(kToTrainer), assign = from<Assign>(kToTrainer),
             ack = from<Ack>(kToTrainer), decision = from<Decision>(kToTrainer),
             refusal = from<Refusal>(kToTrainer);
  welcome.limit("protocol", at_least(1))
      .limit("epoch", at_least(1))
      .limit("beat_ms", at_least(1))
      .limit("lease_ms", at_least(1))
      .inside("keep", "Held")
      .inside("drop", "Held");
  assign.limit("epoch", at_least(1))
      .limit("from", at_least(0))
      .limit("until", at_least(1))
      .limit("seed", {{"maximum", kSeedMax}})
      .inside("resume_from", "ArtifactRef")
      .inside("job", "TrainerJob");
  refusal.limit("code", error_codes());
  return {{FileStored::kType, from<FileStored>(kToTrainer).schema()},
          {FileData::kType, from<FileData>(kToTrainer).schema()},
          {Welcome::kType, welcome.schema()},
          {Assign::kType, assign.schema()},
          {Ack::kType, ack.schema()},
          {Decision::kType, decision.schema()},
          {Refusal::kType, refusal.schema()}};
}

Json of_both() {
  Definition beat = from<Beat>(kBothWays), bye = from<Bye>(kBothWays);
  beat.inside("held", "Held").inside("drop", "Held");
  return {{Beat::kType, beat.schema()}, {Bye::kType, bye.schema()}};
}

}  // namespace

Json protocol_schema() {
  Json definitions = objects_inside();
  for (const Json& some : {of_trainers(), of_optimizers(), of_both()}) definitions.update(some);
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "BTP/1"},
          {"description",
           "The body of a message, by its verb: docs/protocol.md. Limits of text are in bytes of "
           "UTF-8."},
          {"$defs", std::move(definitions)}};
}

}  // namespace betatune
