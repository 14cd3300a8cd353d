#include "trainers/torch/distributed/asynchronous/socket_link.hpp"

#include <array>
#include <thread>

#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {

SocketLink::SocketLink(SocketLinkSettings settings) : settings_(std::move(settings)) {
  for (const auto size : settings_.sizes) all_values_ += size;
  try {
    connect(SteadyClock::now() + settings_.connect_timeout);
  } catch (const ConnectionLost& lost) {
    fail(std::string("cannot be reached: ") + lost.what());
  }
}

void SocketLink::fail(const std::string& problem) const {
  const std::string who =
      settings_.rank == kObserver ? "observer" : "rank " + std::to_string(settings_.rank);
  throw plugin::Failure(BETATUNE_INFRA,
                        who + ": parameter server " + settings_.address + " " + problem);
}

void SocketLink::refused(const Bytes& meta) const {
  std::string reason = "no reason given";
  try {
    reason = Reader(meta).text();
  } catch (const Garbled&) {
  }
  fail("refuses: " + reason);
}

void SocketLink::connect(Deadline deadline) {
  sent_ = false;
  socket_ = connect_to(settings_.address, deadline);
  const Bytes hello = write_hello({settings_.rank, settings_.identity, settings_.sizes});
  send_all(socket_, {{const_cast<std::byte*>(hello.data()), hello.size()}}, deadline);
  Bytes meta;
  const FrameHead head = receive_frame(meta, deadline);
  if (head.kind == FrameKind::refusal) refused(meta);
  if (head.kind != FrameKind::welcome || meta.size() != 8) fail("does not greet");
  const auto last = Reader(meta).number<std::uint64_t>();
  if (sequence_ == 0) {
    sequence_ = last;  // a worker that was started anew goes on from what the server has of it
  } else if (last + 1 < sequence_) {
    fail("has lost updates: it knows of push " + std::to_string(last) + ", the last one was " +
         std::to_string(sequence_) + "; was it started again without its journal?");
  }
}

void SocketLink::send(const Request& request) {
  request_ = request;
  if (request_.push) ++sequence_;
  sent_ = false;
  if (!socket_) return;  // receive() connects
  try {
    send_request(SteadyClock::now() + settings_.answer_timeout);
  } catch (const ConnectionLost&) {
    // A refusal may lie in the socket; receive() finds it, or connects again.
  }
}

void SocketLink::send_request(Deadline deadline) {
  Bytes meta;
  std::uint64_t values = 0;
  if (request_.push) {
    Writer out(meta);
    out.number(sequence_).number(static_cast<std::uint8_t>(request_.weights_wanted));
    for (const auto base : request_.bases) out.number(base);
    for (const auto& layer : request_.values) values += layer.size();
  }
  const Bytes front = make_frame(request_.push ? FrameKind::push : FrameKind::pull, meta, values);
  std::vector<iovec> parts{{const_cast<std::byte*>(front.data()), front.size()}};
  for (const auto& layer : request_.values) {
    parts.push_back({const_cast<float*>(layer.data()), layer.size_bytes()});
  }
  sent_ = true;
  send_all(socket_, std::move(parts), deadline);
}

FrameHead SocketLink::receive_frame(Bytes& meta, Deadline deadline) {
  std::array<std::byte, kHeadBytes> bytes;
  receive_all(socket_, {{bytes.data(), bytes.size()}}, deadline);
  FrameHead head;
  try {
    head = read_head(bytes, {65'536 + 16 * settings_.sizes.size(), all_values_});
  } catch (const Garbled& garbled) {
    fail(std::string("is no parameter server of this training: ") + garbled.what());
  }
  meta.resize(head.meta_bytes);
  receive_all(socket_, {{meta.data(), meta.size()}}, deadline);
  return head;
}

void SocketLink::receive_answer(Response& response, Deadline deadline) {
  Bytes meta;
  const FrameHead head = receive_frame(meta, deadline);
  if (head.kind == FrameKind::refusal) refused(meta);
  const std::size_t layers = settings_.sizes.size();
  if (head.kind != FrameKind::answer || meta.size() != 9 + 8 * layers) fail("does not answer");
  Reader in(meta);
  const auto sequence = in.number<std::uint64_t>();
  if (request_.push && sequence != sequence_) fail("answers another push");
  response.accepted = in.number<std::uint8_t>() != 0;
  response.versions.clear();
  for (std::size_t k = 0; k < layers; ++k) {
    response.versions.push_back(in.number<std::uint64_t>());
  }
  if (head.values != (response.centre.empty() ? 0 : all_values_)) fail("sends another model");
  std::vector<iovec> parts;
  for (auto& layer : response.centre) parts.push_back({layer.data(), layer.size_bytes()});
  receive_all(socket_, std::move(parts), deadline);
}

void SocketLink::receive(Response& response) {
  const auto deadline = SteadyClock::now() + settings_.answer_timeout;
  while (true) {
    std::string problem;
    try {
      if (!sent_) {
        connect(std::min(deadline, SteadyClock::now() + settings_.connect_timeout));
        send_request(deadline);
      }
      return receive_answer(response, deadline);
    } catch (const ConnectionLost& lost) {
      problem = lost.what();
    }
    if (!sent_) fail("is lost: " + problem);  // it could not be reached again
    sent_ = false;
    socket_.close();
    if (SteadyClock::now() >= deadline) fail("gives no answer: " + problem);
    std::this_thread::sleep_for(
        std::chrono::milliseconds(5));  // it may be closing one after another
  }
}

void SocketLink::leave() {
  if (!socket_) return;
  const Bytes frame = make_frame(FrameKind::leave, {}, 0);
  try {
    send_all(socket_, {{const_cast<std::byte*>(frame.data()), frame.size()}},
             SteadyClock::now() + settings_.connect_timeout);
  } catch (const ConnectionLost&) {
    // The server will find out by itself.
  }
  socket_.close();
}

}  // namespace betatune::distributed::asynchronous
