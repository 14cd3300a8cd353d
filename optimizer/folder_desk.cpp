#include "optimizer/folder_desk.hpp"

#include <memory>

#include "searchspaces/limits.hpp"

namespace betatune {

FolderDesk::FolderDesk(asio::io_context& loop, const std::filesystem::path& study_dir, Send send)
    : loop_(loop), send_(std::move(send)), exchange_(study_dir), thread_(1) {}

std::optional<Message> FolderDesk::answer(const Message& message) {
  if (const auto* get = std::get_if<GetFile>(&message)) return exchange_.get(*get);
  return exchange_.put(std::get<PutFile>(message));
}

void FolderDesk::take(Received received) {
  if (waiting_ >= limits::kFileChunksWaiting) return;
  ++waiting_;
  if (const auto* put = std::get_if<PutFile>(&received.message)) {
    sending_.insert({put->trial, put->attempt});
  }
  // A function can be copied, and 256 KiB should not be.
  thread_.submit([this, received = std::make_shared<const Received>(std::move(received))] {
    asio::post(loop_, [this, to = received->from, said = answer(received->message)] {
      --waiting_;
      if (said) send_(to, *said);
    });
  });
}

void FolderDesk::tidy(const StudyState& state) {
  for (auto at = sending_.begin(); at != sending_.end();) {
    const auto [id, attempt] = *at;
    const Trial& trial = state.trials[id];
    if (trial.state == TrialState::running && trial.attempt == attempt) {
      ++at;
      continue;
    }
    thread_.submit([this, id = id, attempt = attempt] { exchange_.forget(id, attempt); });
    at = sending_.erase(at);
  }
}

}  // namespace betatune
