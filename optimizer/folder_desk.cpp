#include "optimizer/folder_desk.hpp"

#include <memory>

#include "optimizer/monotonic_clock.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {

FolderDesk::FolderDesk(asio::io_context& loop, const std::filesystem::path& study_dir, Send send)
    : loop_(loop), send_(std::move(send)), exchange_(study_dir), thread_(1) {}

std::optional<Message> FolderDesk::answer(const Message& message) {
  if (const auto* get = std::get_if<GetFile>(&message)) return exchange_.get(*get);
  return exchange_.put(std::get<PutFile>(message));
}

void FolderDesk::take(Received received) {
  if (waiting_ >= limits::kFileChunksWaiting) {
    ++dropped_;
    return;
  }
  ++waiting_;
  if (const auto* put = std::get_if<PutFile>(&received.message)) {
    sending_.insert({put->trial, put->attempt});
  }
  // A function can be copied, and 256 KiB should not be.
  thread_.submit([this, received = std::make_shared<const Received>(std::move(received))] {
    asio::post(loop_, [this, received, said = answer(received->message)] {
      --waiting_;
      transfers_.told(received->message, said, monotonic_now());
      if (said) send_(received->from, *said);
    });
  });
}

void FolderDesk::tidy(const StudyState& state) {
  for (auto at = sending_.begin(); at != sending_.end();) {
    const auto [id, attempt] = *at;
    if (is_under_way(state, id, attempt)) {
      ++at;
      continue;
    }
    thread_.submit([this, id = id, attempt = attempt] { exchange_.forget(id, attempt); });
    at = sending_.erase(at);
  }
  transfers_.keep_current(state);
}

}  // namespace betatune
