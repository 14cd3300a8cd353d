#include "optimizer/study_session.hpp"

#include <chrono>
#include <fmt/format.h>
#include <random>
#include <utility>

#include "optimizer/account.hpp"
#include "optimizer/earlier_study.hpp"
#include "optimizer/monotonic_clock.hpp"
#include "optimizer/stores/study_lock.hpp"
#include "optimizer/version.hpp"
#include "transport/folder_mark.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEventsPerRead = 10'000;
constexpr int kBeatsPerLease = 6;

/// Only for a study whose file gives no seed; it is recorded, so the study can be repeated.
std::uint64_t draw_seed() {
  std::random_device device;
  // 53 bits: a seed that every JSON and YAML reader keeps exactly.
  return ((std::uint64_t{device()} << 32) | device()) & ((std::uint64_t{1} << 53) - 1);
}

std::int64_t wall_offset_us() {
  using std::chrono::duration_cast;
  const auto wall = duration_cast<Monotonic>(std::chrono::system_clock::now().time_since_epoch());
  return (wall - monotonic_now()).count();
}

Status replay_all(const StudyStore& store, Coordinator& coordinator) {
  while (true) {
    BETATUNE_TRY(const std::vector<Event> events,
                 store.read(coordinator.state().seq, kEventsPerRead));
    if (events.empty()) return Ok{};
    BETATUNE_CHECK(coordinator.replay(events));
  }
}

Status make_policies(StudySession& session, Diagnostics& diagnostics) {
  session.policies.searcher = make_searcher(*session.spec, diagnostics);
  session.policies.scheduler = make_scheduler(*session.spec, diagnostics);
  if (diagnostics.ok() && session.policies.searcher && session.policies.scheduler) return Ok{};
  return Error{ErrorKind::invalid_argument, "the study file is not valid"};
}

Result<std::vector<EarlierStudyRead>> read_earlier(const StudySession& session,
                                                   const StudyState& state,
                                                   Diagnostics& diagnostics) {
  auto studies = read_earlier_studies(*session.spec, state, diagnostics);
  if (diagnostics.ok()) return studies;
  return Error{ErrorKind::invalid_argument, "an earlier study cannot be read"};
}

Result<CoordinatorOptions> settings_of(const StudySession& session, const fs::path& file,
                                       const SessionOptions& options) {
  CoordinatorOptions settings;
  BETATUNE_TRY(settings.epoch, session.store->begin_epoch());
  settings.build = build_version();
  settings.user = account_name();
  settings.study_dir = session.directory.string();
  if (!options.in_memory) {
    BETATUNE_TRY(settings.folder_mark, renew_folder_mark(session.directory));
  }
  settings.directory = fs::absolute(file).parent_path().string();
  settings.token = options.token;
  settings.wall_offset_us = wall_offset_us();
  settings.fresh_seed = draw_seed();
  settings.rejoin_grace = options.rejoin_grace;
  settings.launched_before = options.launched_before;
  if (options.ahead) settings.ahead = *options.ahead;
  // Several beats fit into a lease, so that one which is lost ends nothing.
  const auto lease = std::chrono::duration<double>(session.spec->server.lease.seconds);
  settings.beat =
      std::min(settings.beat, std::chrono::duration_cast<Monotonic>(lease / kBeatsPerLease));
  return settings;
}

}  // namespace

Result<fs::path> set_study_aside(const fs::path& directory) {
  std::error_code failed;
  if (!fs::exists(directory / "study.db", failed)) return fs::path{};
  if (const int holder = lock_holder(directory / "study.lock"); holder != 0) {
    return Error{ErrorKind::conflict,
                 fmt::format("{}: an optimizer works on this study (process {}); stop it first",
                             directory.string(), holder)};
  }
  for (int n = 1;; ++n) {
    fs::path target = directory;
    target += fmt::format(".{}", n);
    if (fs::exists(target, failed)) continue;
    fs::rename(directory, target, failed);
    if (!failed) return target;
    return Error{ErrorKind::unavailable, fmt::format("cannot move {} to {}: {}", directory.string(),
                                                     target.string(), failed.message())};
  }
}

fs::path study_directory(const StudySpec& spec) {
  const fs::path path =
      spec.storage.path.empty() ? fs::path("runs") / spec.study.name : fs::path(spec.storage.path);
  return fs::absolute(path).lexically_normal();
}

Result<StudySession> open_session(std::shared_ptr<const StudySpec> spec, const fs::path& file,
                                  const SessionOptions& options, Diagnostics& diagnostics) {
  StudySession session;
  session.spec = std::move(spec);
  session.directory = study_directory(*session.spec);
  BETATUNE_CHECK(make_policies(session, diagnostics));
  // A new study does not begin, and leaves no folder, if one that it is to learn from is missing.
  std::error_code failed;
  const bool begins = options.in_memory || !fs::exists(session.directory / "study.db", failed);
  std::vector<EarlierStudyRead> earlier;
  if (begins) {
    BETATUNE_TRY(earlier, read_earlier(session, StudyState{}, diagnostics));
  }
  if (options.in_memory) {
    session.store = make_memory_store();
  } else {
    if (options.fresh) {
      BETATUNE_TRY(session.set_aside, set_study_aside(session.directory));
    }
    BETATUNE_TRY(session.store, open_sqlite_store(session.directory, OpenMode::optimizer));
  }
  BETATUNE_TRY(CoordinatorOptions settings, settings_of(session, file, options));
  session.coordinator =
      std::make_unique<Coordinator>(session.spec, session.policies, std::move(settings));
  BETATUNE_CHECK(replay_all(*session.store, *session.coordinator));
  if (!begins) {
    BETATUNE_TRY(earlier, read_earlier(session, session.coordinator->state(), diagnostics));
  }
  session.coordinator->learn_from(std::move(earlier));
  const StudyState& state = session.coordinator->state();
  if (state.seq > 0) session.changes = document_changes(state.document, session.spec->document);
  return session;
}

}  // namespace betatune
