#include "optimizer/cli/followed_study.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sys/stat.h>

namespace betatune {
namespace {

constexpr std::size_t kEventsPerRead = 10'000;

/// Which file it is, whatever it is called; 0 if there is none.
std::uint64_t file_number(const std::filesystem::path& directory) {
  struct stat found {};
  const std::filesystem::path file = directory / "study.db";
  return ::stat(file.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_ino) : 0;
}

}  // namespace

FollowedStudy::FollowedStudy(OpenStudy study, std::unique_ptr<StudyStore> store, Sequence after)
    : study_(std::move(study)),
      store_(std::move(store)),
      trace_(*store_, {.after = after}),
      file_(file_number(study_.place.directory)) {}

Result<std::unique_ptr<FollowedStudy>> FollowedStudy::open(const StudyPlace& place,
                                                           Sequence decisions) {
  BETATUNE_TRY(OpenStudy study, open_study_at(place));
  if (study.summary.events == 0) {
    return Error{ErrorKind::not_found,
                 fmt::format("{}: this study has not begun", place.directory.string())};
  }
  BETATUNE_TRY(auto store, open_sqlite_store(place.directory, OpenMode::read_only));
  const Sequence events = study.summary.events;
  return std::unique_ptr<FollowedStudy>(
      new FollowedStudy(std::move(study), std::move(store), events - std::min(events, decisions)));
}

Status FollowedStudy::catch_up(const Each& each) {
  while (true) {
    BETATUNE_TRY(const std::vector<Event> events, store_->read(state().seq, kEventsPerRead));
    if (events.empty()) return Ok{};
    for (const Event& event : events) {
      BETATUNE_TRY(const auto decision, trace_.take(event));
      each(event, decision);
    }
  }
}

bool FollowedStudy::is_gone() const {
  return file_ != 0 && file_number(study_.place.directory) != file_;
}

}  // namespace betatune
