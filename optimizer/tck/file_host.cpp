#include "optimizer/tck/file_host.hpp"

#include "transport/folder_names.hpp"
#include "transport/random_hex.hpp"

namespace betatune::tck {

FileHost::FileHost(TrainerScript& script) : script_(script), study_(script.folder() / "optimizer") {
  std::error_code ignored;
  std::filesystem::create_directories(study_, ignored);
  restart();
  script_.on_file = [this](const Message& message) { take(message); };
}

FileHost::~FileHost() {
  script_.on_file = nullptr;
}

Assign FileHost::unseen(Assign assign) const {
  assign.job.study_dir = (script_.folder() / "elsewhere" / "study").string();
  assign.job.folder_mark = random_hex();
  return assign;
}

void FileHost::restart() {
  exchange_.reset();
  exchange_ = std::make_unique<FolderExchange>(study_);
}

void FileHost::take(const Message& message) {
  if (const auto* put = std::get_if<PutFile>(&message)) {
    Put& seen = puts.emplace_back(Put{*put, put->bytes.size()});
    seen.asked.bytes.clear();
    if (!answers) return;
    auto stored = exchange_->put(*put);
    if (!stored) return;
    const bool checkpoint = is_checkpoint_of(put->folder, put->trial, put->attempt);
    completed_ += checkpoint && stored->complete ? 1 : 0;
    if (!changes_stored || changes_stored(*stored)) answer(*stored);
  } else if (const auto* get = std::get_if<GetFile>(&message)) {
    gets.push_back(*get);
    if (!answers) return;
    FileData data = exchange_->get(*get);
    if (!changes_data || changes_data(data)) answer(data);
  }
}

void FileHost::answer(const Message& message) {
  for (int i = 0; i < copies; ++i) script_.send(message);
}

}  // namespace betatune::tck
