/// A whole trainer in one file: docs/protocol.md says what it must do, this does it, with nothing
/// but cppzmq and nlohmann's JSON.   trainer_cpp ADDRESS [TOKEN_FILE]   Its trials walk down a
/// parabola, a step every `trainer.config.delay_ms`; what is durable is printed: ids, then seq.

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <unistd.h>
#include <zmq_addon.hpp>

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;
constexpr std::size_t kWindow = 256;  // unacknowledged reports of one attempt

struct Trainer {
  std::string address, token;
  zmq::context_t context{};
  zmq::socket_t socket{};
  Clock::time_point heard{}, beat_at{}, next_step{};
  bool leaving = false;
  Json welcome{};         ///< null before it is said
  Json work{};            ///< the ASSIGN that is held until its DONE is acknowledged; null: none
  std::string end{};      ///< of the work, once it has one
  int step = 0, seq = 0;  ///< of its last report
  Json unacknowledged = Json::array();

  /// A new connection is a new session, which begins with everything that is held.
  void connect() {
    socket = zmq::socket_t(context, ZMQ_DEALER);
    socket.set(zmq::sockopt::linger, 1'000);
    socket.set(zmq::sockopt::rcvtimeo, 5);
    socket.connect(address);
    welcome = nullptr, heard = beat_at = Clock::now();
    Json hello{{"protocol_min", 1}, {"protocol_max", 1}, {"slots", 1}, {"token", token}};
    hello["trainer"] = "reference-cpp-" + std::to_string(getpid());
    hello["held"] = held();
    std::string session(32, ' ');
    for (char& each : session) each = "0123456789abcdef"[std::random_device()() % 16];
    hello["session"] = session;
    send("HELLO", hello);
  }
  Json about(Json more) const {
    more.update({{"trial", work.at("trial")}, {"attempt", work.at("attempt")}, {"step", step}});
    return more;
  }
  Json held() const {
    return work.is_null() ? Json::array() : Json::array({about({{"last_seq", seq}})});
  }
  bool is_ours(const Json& body) const {
    return !work.is_null() && body.value("trial", -1) == work["trial"] &&
           body.value("attempt", -1) == work["attempt"];
  }
  bool names_ours(const Json& body, const char* list) const {
    const Json all = body.value(list, Json::array());
    return std::any_of(all.begin(), all.end(), [&](const Json& each) { return is_ours(each); });
  }
  /// What cannot be sent now is offered again with the next BEAT.
  void send(const std::string& verb, const Json& body) {
    const std::string text = body.dump(), tag = "BTP1";
    const std::array frames{zmq::buffer(tag), zmq::buffer(verb), zmq::buffer(text)};
    (void)zmq::send_multipart(socket, frames, zmq::send_flags::dontwait);
  }
  /// What is not acknowledged, in order; then the credit: absolute, and said again with each BEAT.
  void offer_all() {
    for (const Json& report : unacknowledged) send("REPORT", report);
    if (!end.empty()) end_with(end);
    send("READY", {{"credit", work.is_null() && !leaving ? 1 : 0}});
  }
  void end_with(const std::string& how) {
    send("DONE", about({{"final_seq", seq}, {"end", end = how}}));
  }
  void hold(const Json& assign) {
    work = assign;
    end.clear(), unacknowledged.clear(), seq = 0, next_step = Clock::now();
    step = work.is_null() ? 0 : work.at("from").get<int>();
  }
  void train() {
    const Json& job = work.at("job");
    double x = 0;
    for (const Json& each : work.at("params")) x += each.is_number() ? each.get<double>() : 0;
    ++step, ++seq;
    const Json metrics = {{job.at("objective"), (x - 0.3) * (x - 0.3) + 1.0 / step}};
    unacknowledged.push_back(about({{"seq", seq}, {"metrics", metrics}}));
    send("REPORT", unacknowledged.back());
    next_step += Milliseconds(job.at("config").value("delay_ms", 0));
    if (step >= work.at("until")) end_with("reached");
  }
  void on_message(const std::string& verb, const Json& body) {
    if (verb == "WELCOME" && welcome.is_null()) {
      welcome = body;
      if (!names_ours(body, "keep")) hold(nullptr);
      offer_all();
    } else if (verb == "ASSIGN" && !welcome.is_null() && body["epoch"] >= welcome["epoch"]) {
      const bool newer =
          !work.is_null() && body["trial"] == work["trial"] && body["attempt"] > work["attempt"];
      if ((work.is_null() || newer) && !leaving) hold(body);
    } else if (verb == "ACK" && is_ours(body)) {
      std::cout << body["trial"] << " " << body["attempt"] << " " << body["seq"] << std::endl;
      while (!unacknowledged.empty() && unacknowledged[0]["seq"] <= body["seq"])
        unacknowledged.erase(0);
      if (body.value("done", false) && !end.empty()) hold(nullptr), offer_all();
    } else if (verb == "DECISION" && is_ours(body) && end.empty() && body["action"] != "continue") {
      end_with(body["action"] == "stop" ? "stopped" : "paused");
    } else if (verb == "BEAT" || verb == "BYE") {
      leaving = leaving || verb == "BYE";
      if (names_ours(body, "drop") || !body.value("drain", true)) hold(nullptr);
    } else if (verb == "ERROR") {
      if (body.value("fatal", false)) std::cerr << body << "\n", std::exit(1);
      if (body["code"] == "not_welcome" && !welcome.is_null()) return connect();  // a restart
      if (body["code"] == "missing_reports") return offer_all();
      if (is_ours(body)) hold(nullptr);  // stale_attempt, conflict, malformed
    }
  }
  void run() {
    for (connect(); !work.is_null() || !leaving;) {
      std::vector<zmq::message_t> frames;  // a receive waits no longer than RCVTIMEO
      const bool any = zmq::recv_multipart(socket, std::back_inserter(frames)).has_value();
      try {
        if (any) on_message(frames.at(1).to_string(), Json::parse(frames.at(2).to_string()));
        if (any) heard = Clock::now();
      } catch (const std::exception&) {  // what cannot be read is ignored
      }
      const auto now = Clock::now();
      const bool waits = work.is_null() || !end.empty() || unacknowledged.size() >= kWindow;
      if (!waits && now >= next_step) train();
      const Milliseconds beat(welcome.is_null() ? 1'000 : welcome["beat_ms"].get<int>());
      if (now - heard > beat * 5 / 2) {
        connect();  // silence: nobody there, or a connection that only looks alive
      } else if (!welcome.is_null() && now - beat_at > beat) {
        beat_at = now;
        send("BEAT", {{"epoch", welcome["epoch"]}, {"held", held()}});
        offer_all();
      }
    }
    send("BYE", {{"reason", "done"}, {"drain", false}});
  }
};

int main(int argc, char** argv) {
  std::string token;
  if (argc > 2) std::ifstream(argv[2]) >> token;
  if (argc > 1) Trainer{argv[1], token}.run();
  return argc > 1 ? 0 : 2;
}
