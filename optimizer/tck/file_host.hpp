#pragma once
/// The scripted optimizer's side of files that travel: a study's folder that the trainer under test
/// does not see. It answers PUT and GET as docs/protocol.md has it, unless a case spoils that.

#include <functional>
#include <vector>

#include "optimizer/tck/trainer_script.hpp"
#include "transport/folder_exchange.hpp"

namespace betatune::tck {

class FileHost {
 public:
  /// A PUT that came; its bytes are not kept.
  struct Put {
    PutFile asked;
    std::size_t bytes = 0;
  };

  explicit FileHost(TrainerScript& script);
  FileHost(const FileHost&) = delete;
  FileHost& operator=(const FileHost&) = delete;
  ~FileHost();

  /// The same assignment, to who does not see the folder.
  Assign unseen(Assign assign) const;
  /// As a restart of the optimizer: what has arrived of folders that are not complete is lost.
  void restart();
  const std::filesystem::path& study() const { return study_; }
  /// How many checkpoints have arrived whole, whether or not that was told.
  int completed() const { return completed_; }

  // What a case may set and look at.
  bool answers = true;
  int copies = 1;                                   ///< of each answer
  std::function<bool(FileStored&)> changes_stored;  ///< false: this one is lost
  std::function<bool(FileData&)> changes_data;
  std::vector<Put> puts;
  std::vector<GetFile> gets;

 private:
  void take(const Message& message);
  void answer(const Message& message);

  TrainerScript& script_;
  std::filesystem::path study_;
  std::unique_ptr<FolderExchange> exchange_;
  int completed_ = 0;
};

}  // namespace betatune::tck
