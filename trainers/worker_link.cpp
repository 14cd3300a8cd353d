#include "trainers/worker_link.hpp"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "searchspaces/limits.hpp"
#include "trainers/metrics.hpp"

namespace betatune {
namespace {

constexpr int kExitAgentGone = 75;
constexpr int kExitLinkClosed = 70;

Result<WorkerMessage> decode_report(const Json& json) {
  WorkerReport report;
  BETATUNE_TRY(report.step, decode_json<Step>(json.value("step", Json()), "report.step"));
  BETATUNE_TRY(report.metrics, metrics_from_json(json.value("metrics", Json::object())));
  if (json.contains("checkpoint")) {
    BETATUNE_TRY(report.checkpoint,
                 decode_json<ArtifactRef>(json.at("checkpoint"), "report.checkpoint"));
  }
  return WorkerMessage(std::move(report));
}

}  // namespace

WorkerEnd failed_end(Step step, FailureClass failure, const std::string& message) {
  return {AttemptEnd::failed, step, failure, clean_text(message, limits::kErrorTextBytes)};
}

std::string encode_worker_message(const WorkerMessage& message) {
  Json json = Json::object();
  if (const auto* report = std::get_if<WorkerReport>(&message)) {
    Json& body = json["report"];
    body["step"] = report->step;
    body["metrics"] = metrics_to_json(report->metrics);
    if (report->checkpoint) body["checkpoint"] = encode_json(*report->checkpoint);
  } else {
    json["done"] = encode_json(std::get<WorkerEnd>(message));
  }
  return json_text(json);
}

Result<WorkerMessage> decode_worker_message(const std::string& packet) {
  const Json json = Json::parse(packet, nullptr, false);
  if (json.is_object() && json.contains("report") && json["report"].is_object()) {
    return decode_report(json["report"]);
  }
  if (json.is_object() && json.contains("done")) {
    BETATUNE_TRY(auto end, decode_json<WorkerEnd>(json["done"], "done"));
    return WorkerMessage(std::move(end));
  }
  return Error{ErrorKind::invalid_argument, "a packet that is neither a report nor done"};
}

std::string encode_action(Action action) {
  return json_text({{"action", to_name(action)}});
}

void WorkerLink::lost() const {
  if (::fcntl(fd_, F_GETFD) >= 0) ::_exit(kExitAgentGone);
  std::fprintf(stderr, "the trainer closed descriptor %d, which is not its own: reports need it\n",
               fd_);
  std::fflush(stderr);
  ::_exit(kExitLinkClosed);
}

void WorkerLink::send(const WorkerMessage& message) {
  if (!send_packet(fd_, encode_worker_message(message))) lost();
}

Action WorkerLink::decision() {
  for (;;) {
    const Packet packet = receive_packet(fd_, false);
    if (packet.state == Packet::State::closed) lost();
    if (packet.state == Packet::State::none_now) return decision_;
    const Json json = Json::parse(packet.bytes, nullptr, false);
    if (!json.is_object() || !json.contains("action")) continue;
    if (const auto action = decode_json<Action>(json["action"], "action")) {
      decision_ = action.value();
    }
  }
}

}  // namespace betatune
