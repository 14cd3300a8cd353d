/// Which files a trainer may give and get.

#include <fmt/format.h>

#include "optimizer/coordinator.hpp"
#include "transport/folder_names.hpp"

namespace betatune {

/// Files are for who has the attempt now, as its reports are.
template <class Message>
void Coordinator::admit_file(TrainerEntry& trainer, const Message& message, bool folder_fits) {
  if (current_trial(trainer.id, message.trial, message.attempt) == nullptr) {
    return refuse_work(trainer.peer, "stale_attempt",
                       fmt::format("attempt {} of trial {} is not current: end this work",
                                   message.attempt.n, message.trial.n),
                       message.trial, message.attempt);
  }
  if (!folder_fits) {
    return refuse_work(trainer.peer, "malformed",
                       fmt::format("{}: not a folder of this attempt", message.folder),
                       message.trial, message.attempt);
  }
  live_.at(message.trial).confirmed = true;
  live_.at(message.trial).absent = 0;
  effects_.admits_file = true;
}

void Coordinator::on(TrainerEntry& trainer, const PutFile& put) {
  admit_file(trainer, put,
             is_checkpoint_of(put.folder, put.trial, put.attempt) ||
                 put.folder == attempt_folder_name(put.trial, put.attempt));
}

void Coordinator::on(TrainerEntry& trainer, const GetFile& get) {
  const Trial* trial = current_trial(trainer.id, get.trial, get.attempt);
  admit_file(trainer, get,
             trial != nullptr && trial->resumed_from && trial->resumed_from->uri == get.folder);
}

}  // namespace betatune
