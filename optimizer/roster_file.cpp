#include "optimizer/roster_file.hpp"

#include <fstream>
#include <map>

#include "searchspaces/schema.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kName = "trainers.json";

double seconds_since(Monotonic then, Monotonic now) {
  return std::max(0.0, std::chrono::duration<double>(now - then).count());
}

SeenRoster seen_roster(const Coordinator& coordinator, const std::string& endpoint,
                       const FileTransfers& files, Monotonic now) {
  std::map<TrainerId, SeenTrainer> running;
  for (const TrialId id : coordinator.state().running) {
    const Trial& trial = coordinator.state().trials[id];
    SeenTrainer& seen = running[trial.trainer];
    seen.trials.push_back(id.n);
    seen.taken.push_back(trial.slots());
    const auto file = files.all().find({id, trial.attempt});
    if (file == files.all().end()) continue;
    const FileTransfer& each = file->second;
    seen.files.push_back({id.n, trial.attempt.n, each.way, each.folder, each.path, each.bytes,
                          each.size, seconds_since(each.moved, now)});
  }
  SeenRoster out;
  out.endpoint = endpoint;
  out.lease_s = coordinator.spec().server.lease.seconds;
  for (const auto& [name, trainer] : coordinator.roster().all()) {
    SeenTrainer& seen = out.trainers.emplace_back(running[name]);
    seen.name = name;
    seen.slots = trainer.slots;
    seen.silent_s = seconds_since(trainer.seen, now);
    seen.leaving = trainer.leaving;
  }
  return out;
}

}  // namespace

RosterFile::RosterFile(const fs::path& study_dir) : file_(study_dir / kName) {}

RosterFile::~RosterFile() {
  std::error_code ignored;
  fs::remove(file_, ignored);
}

void RosterFile::tick(const Coordinator& coordinator, Monotonic now) {
  if (written_ && now - *written_ < 1s) return;
  written_ = now;
  const fs::path draft = file_.string() + ".new";
  {
    std::ofstream out(draft, std::ios::trunc);
    SeenRoster seen = seen_roster(coordinator, endpoint_, files_, now);
    seen.refused = refused_;
    out << json_text(encode_json(seen)) << "\n";
    // A disk that is full concerns the log; who looks sees the file of before.
    if (!out) return;
  }
  std::error_code ignored;
  fs::rename(draft, file_, ignored);
}

std::optional<SeenRoster> read_roster(const fs::path& study_dir) {
  std::ifstream in(study_dir / kName);
  if (!in) return std::nullopt;
  auto roster = decode_json<SeenRoster>(Json::parse(in, nullptr, false), kName);
  if (!roster) return std::nullopt;
  return std::move(roster).value();
}

}  // namespace betatune
