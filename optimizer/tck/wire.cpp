#include "optimizer/tck/wire.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

#include "searchspaces/value.hpp"

namespace betatune::tck {
namespace {

constexpr auto kLook = std::chrono::microseconds(500);
constexpr auto kSlice = Milliseconds(200);
/// Cases send bodies of any size; an ordinary ASSIGN is far below this.
constexpr std::size_t kLongestNote = 16'000;
constexpr std::size_t kLongestWords = 600;
constexpr std::size_t kBodyFrame = 2;

}  // namespace

Wire::Wire(ZmqSocket::Role role, char ours, char theirs, std::vector<std::string>& transcript)
    : ours_(ours), theirs_(theirs), transcript_(transcript) {
  auto socket = ZmqSocket::open(context_, loop_, role);
  BETATUNE_ASSERT(bool(socket));
  socket_ = std::move(socket).value();
}

Status Wire::bind(const std::string& endpoint, const std::optional<KeyPair>& keys) {
  if (keys) BETATUNE_CHECK(socket_->ask_for_keys(*keys));
  return socket_->bind(endpoint);
}

Status Wire::connect(const std::string& endpoint, const std::optional<TrainerKey>& key) {
  if (key) BETATUNE_CHECK(socket_->show_key(*key));
  return socket_->connect(endpoint);
}

std::optional<Heard> Wire::next(Clock::time_point until) {
  Delivery delivery;
  while (!socket_->receive(delivery)) {
    if (Clock::now() >= until) return std::nullopt;
    std::this_thread::sleep_for(kLook);
  }
  note(theirs_, delivery.frames);
  Heard heard{delivery.from, std::move(delivery.frames)};
  heard.message = decode_message(heard.frames);
  return heard;
}

void Wire::send(const PeerId& to, const Message& message) {
  send_frames(to, encode_message(message));
}

void Wire::send_frames(const PeerId& to, const Frames& frames) {
  note(ours_, frames);
  socket_->send(to, frames);
}

void Wire::note(char side, const Frames& frames) {
  std::string text(1, side);
  text += ">";
  for (std::size_t i = frames.size() > 1 ? 1 : 0; i < frames.size(); ++i) {
    if (i > kBodyFrame) {  // of a file: not for people
      text += " (" + std::to_string(frames[i].size()) + " bytes)";
      continue;
    }
    text += " " + frames[i].substr(0, kLongestNote);
    if (frames[i].size() > kLongestNote) text += "...";
  }
  transcript_.push_back(std::move(text));
}

std::optional<Heard> next_while_alive(Wire& wire, Process& process, Clock::time_point until) {
  for (bool alive = true; alive && Clock::now() < until;) {
    alive = process.running();
    // What it sent before its end is on its way.
    if (auto next = wire.next(std::min(until, Clock::now() + kSlice))) return next;
  }
  return std::nullopt;
}

std::string last_words(Process& process, const std::filesystem::path& folder) {
  if (process.running()) return {};
  std::ifstream file(folder / "output");
  std::string said((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (said.empty()) return "; it has exited";
  if (said.size() > kLongestWords) said = "..." + said.substr(said.size() - kLongestWords);
  return "; it has exited, and said: " + said;
}

Frames edited(const Message& message, const std::function<void(Json&)>& edit) {
  Frames frames = encode_message(message);
  Json body = Json::parse(frames.at(2));
  edit(body);
  frames[2] = json_text(body);
  return frames;
}

Frames with_body(const Message& message, std::string body) {
  Frames frames = encode_message(message);
  frames.at(2) = std::move(body);
  return frames;
}

}  // namespace betatune::tck
