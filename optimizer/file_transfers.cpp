#include "optimizer/file_transfers.hpp"

#include <algorithm>

namespace betatune {

bool is_under_way(const StudyState& state, TrialId trial, AttemptId attempt) {
  const Trial& now = state.trials[trial];
  return now.state == TrialState::running && now.attempt == attempt;
}

void FileTransfers::told(const Message& asked, const std::optional<Message>& answer,
                         Monotonic now) {
  if (const auto* put = std::get_if<PutFile>(&asked)) {
    const auto* stored = answer ? std::get_if<FileStored>(&*answer) : nullptr;
    FileTransfer seen{FileWay::sends, put->folder, put->path, 0, put->size, now};
    if (stored != nullptr) seen.bytes = std::min(stored->offset, put->size);
    const bool over = stored != nullptr &&
                      (!stored->problem.empty() || stored->complete || seen.bytes == put->size);
    note({put->trial, put->attempt}, std::move(seen), over);
  } else if (const auto* data = answer ? std::get_if<FileData>(&*answer) : nullptr) {
    const std::uint64_t bytes = data->offset + data->bytes.size();
    note({data->trial, data->attempt},
         {FileWay::fetches, data->folder, data->path, bytes, data->size, now},
         !data->problem.empty() || bytes >= data->size);
  }
}

void FileTransfers::note(const Key& key, FileTransfer seen, bool over) {
  const auto found = all_.find(key);
  const bool same = found != all_.end() && found->second.way == seen.way &&
                    found->second.folder == seen.folder && found->second.path == seen.path;
  if (over) {
    // A late answer about another file says nothing of the present one.
    if (same) all_.erase(found);
    return;
  }
  // Asked again, but no further than before: it stands still.
  if (same && seen.bytes <= found->second.bytes) return;
  all_[key] = std::move(seen);
}

void FileTransfers::keep_current(const StudyState& state) {
  std::erase_if(all_, [&](const auto& each) {
    const auto& [trial, attempt] = each.first;
    return !is_under_way(state, trial, attempt);
  });
}

}  // namespace betatune
