#pragma once
/// The trainers of a running study, told to other processes in a file beside its database. It is
/// apart from the log because it changes with every message and nothing is decided by it; it is
/// gone with the optimizer.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/coordinator.hpp"
#include "optimizer/file_transfers.hpp"
#include "optimizer/refusal_limit.hpp"

namespace betatune {

/// A file on its way, of a trainer that does not see the study's folder.
struct SeenFile {
  std::uint64_t trial = 0, attempt = 0;
  FileWay way = FileWay::sends;
  std::string folder, path;
  std::uint64_t bytes = 0, size = 0;
  double still_s = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &SeenFile::trial, "trial id"},
                      Field{"attempt", &SeenFile::attempt, "attempt number"},
                      Field{"way", &SeenFile::way, "what the trainer does: sends or fetches"},
                      Field{"folder", &SeenFile::folder, "below the study's folder"},
                      Field{"path", &SeenFile::path, "of the file in it"},
                      Field{"bytes", &SeenFile::bytes, "that are there"},
                      Field{"size", &SeenFile::size, "bytes of the file"},
                      Field{"still_s", &SeenFile::still_s, "seconds since the last of them came"}};
  }
};

struct SeenTrainer {
  std::string name;
  int slots = 0;
  std::vector<std::uint64_t> trials;  ///< that it runs, as the log says
  std::vector<int> taken;             ///< slots that each of them takes
  double silent_s = 0;                ///< since its last message
  bool leaving = false;
  std::vector<SeenFile> files;  ///< on their way
  static constexpr auto fields() {
    return std::tuple{
        Field{"name", &SeenTrainer::name, "of the trainer"},
        Field{"slots", &SeenTrainer::slots, "trials of one slot that it runs at once"},
        Field{"trials", &SeenTrainer::trials, "that it runs now"},
        defaulted("taken", &SeenTrainer::taken, "slots of each of these"),
        Field{"silent_s", &SeenTrainer::silent_s, "seconds since its last message"},
        Field{"leaving", &SeenTrainer::leaving, "takes no more work"},
        defaulted("files", &SeenTrainer::files, "on their way to it or from it")};
  }
};

struct SeenRoster {
  std::string endpoint;
  double lease_s = 0;
  std::vector<SeenTrainer> trainers;
  Refused refused;
  static constexpr auto fields() {
    return std::tuple{Field{"endpoint", &SeenRoster::endpoint, "where trainers connect"},
                      Field{"lease_s", &SeenRoster::lease_s, "silence after which one is given up"},
                      Field{"trainers", &SeenRoster::trainers, "that are connected"},
                      defaulted("refused", &SeenRoster::refused, "messages that changed nothing")};
  }
};

/// Written at most once a second, removed at the end.
class RosterFile {
 public:
  explicit RosterFile(const std::filesystem::path& study_dir);
  ~RosterFile();
  RosterFile(const RosterFile&) = delete;
  RosterFile& operator=(const RosterFile&) = delete;

  void listening(const std::string& endpoint) { endpoint_ = endpoint; }
  void refused(const Refused& so_far) { refused_ = so_far; }
  void files(const FileTransfers& now) { files_ = now; }
  /// `now` on the clock of the coordinator's inputs.
  void tick(const Coordinator& coordinator, Monotonic now);

 private:
  std::filesystem::path file_;
  std::string endpoint_;
  Refused refused_;
  FileTransfers files_;
  std::optional<Monotonic> written_;
};

/// Nothing if there is no such file, or it cannot be read.
std::optional<SeenRoster> read_roster(const std::filesystem::path& study_dir);

}  // namespace betatune
