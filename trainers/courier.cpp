#include "trainers/courier.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "searchspaces/log.hpp"
#include "trainers/attempt_folder.hpp"
#include "transport/folder_mark.hpp"
#include "transport/object_store.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// Files that an attempt leaves in its folder: its log, and whatever its trainer has put there.
std::vector<SealedFile> files_left(const Assign& assign) {
  std::vector<SealedFile> files;
  const fs::path folder = attempt_folder(assign);
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->path() == scratch_folder(assign)) at.disable_recursion_pending();
    std::error_code gone;
    if (!fs::is_regular_file(at->symlink_status(gone))) continue;
    files.push_back({at->path().lexically_relative(folder).string(), ""});
  }
  std::ranges::sort(files, {}, &SealedFile::path);
  return files;
}

}  // namespace

Courier::Courier(CourierOptions options, Outside outside)
    : options_(std::move(options)),
      outside_(std::move(outside)),
      sender_([this](const Message& message) { outside_.send(message); },
              [this](const Parcel& parcel, const Status& status) { sent(parcel, status); }),
      fetcher_([this](const Message& message) { outside_.send(message); },
               [this](const Order& order, const Status& status) { fetched(order, status); }) {}

bool Courier::sees_folder(const TrainerJob& job) const {
  if (job.study_dir.empty() || job.folder_mark.empty()) return true;
  return !options_.always && has_folder_mark(job.study_dir, job.folder_mark);
}

Status Courier::make_local(Assign& assign) {
  if (!folder_) {
    BETATUNE_TRY(OwnFolder made, OwnFolder::make(options_.parent));
    log().info("the study's folder is not seen here: files of trials are in {}, and travel",
               made.path().string());
    folder_.emplace(std::move(made));
  }
  assign.job.study_dir = (folder_->path() / "study").string();
  std::error_code failed;
  fs::create_directories(assign.job.study_dir, failed);
  if (failed) return Error{ErrorKind::unavailable, assign.job.study_dir + ": " + failed.message()};
  if (!fs::is_directory(assign.job.directory, failed)) assign.job.directory = assign.job.study_dir;
  return Ok{};
}

void Courier::start(const WorkKey& key, const Assign& assign) {
  if (sees_folder(assign.job)) return outside_.start(key, assign);
  Trip& trip = trips_[key];
  trip.assign = assign;
  trip.step = assign.from;
  const Status made = make_local(trip.assign);
  if (!made) return over(key, AttemptFailure{FailureClass::infra, made.error().message});
  if (!assign.resume_from) return begin(key, trip);
  if (!assign.resume_from->digest) {
    return over(key, AttemptFailure{FailureClass::infra,
                                    "checkpoint " + assign.resume_from->uri +
                                        " has no digest, and cannot be fetched without one"});
  }
  trip.fetching = true;
  outside_.files_travel(key, true);
  fetcher_.take(
      {key, *assign.resume_from, fs::path(trip.assign.job.study_dir) / assign.resume_from->uri});
}

void Courier::begin(const WorkKey& key, Trip& trip) {
  trip.fetching = false;
  outside_.files_travel(key, false);
  outside_.start(key, trip.assign);
  if (trip.told != Action::go_on) outside_.tell(key, trip.told);
}

void Courier::fetched(const Order& order, const Status& status) {
  const auto found = trips_.find(order.key);
  if (found == trips_.end()) return;
  if (status) {
    log().info("trial {}: fetched {}", order.key.trial.n, order.checkpoint.uri);
    return begin(order.key, found->second);
  }
  found->second.fetching = false;
  const bool damaged = status.error().kind == ErrorKind::corrupt;
  over(order.key, AttemptFailure{damaged ? FailureClass::checkpoint : FailureClass::infra,
                                 status.error().message});
}

void Courier::tell(const WorkKey& key, Action action) {
  const auto found = trips_.find(key);
  if (found != trips_.end() && found->second.fetching) {
    found->second.told = action;
  } else {
    outside_.tell(key, action);
  }
}

void Courier::end(const WorkKey& key, bool unwanted) {
  const auto found = trips_.find(key);
  if (found == trips_.end()) return outside_.end(key);
  Trip& trip = found->second;
  trip.unwanted = trip.unwanted || unwanted;
  const bool has_process = !trip.fetching && !trip.fate;
  if (has_process) return outside_.end(key);
  if (trip.fetching || unwanted) give_up(key);
}

void Courier::said(const WorkKey& key, const WorkerMessage& message) {
  const auto found = trips_.find(key);
  if (found == trips_.end()) return outside_.said(key, message);
  Trip& trip = found->second;
  if (const auto* end = std::get_if<WorkerEnd>(&message)) {
    if (!trip.end) trip.end = *end;
    return settle(key);
  }
  const auto& report = std::get<WorkerReport>(message);
  trip.step = std::max(trip.step, report.step);
  if (!report.checkpoint) return outside_.said(key, message);
  // What it has measured does not wait for its checkpoint.
  if (!report.metrics.empty()) {
    outside_.said(key, WorkerReport{report.step, report.metrics, std::nullopt});
  }
  if (trip.unwanted) return;
  trip.checkpoints.push_back(*report.checkpoint);
  send_checkpoint(key, trip, *report.checkpoint);
}

void Courier::send_checkpoint(const WorkKey& key, const Trip& trip, const ArtifactRef& artifact) {
  Parcel parcel{key, artifact.uri, fs::path(trip.assign.job.study_dir) / artifact.uri, {}};
  // A list that cannot be read fails where it is sent.
  if (auto seal = read_seal(parcel.from)) parcel.files = std::move(seal).value().files;
  parcel.files.push_back({kSumsName, artifact.digest.value_or("")});
  sender_.take(std::move(parcel));
}

void Courier::sent(const Parcel& parcel, const Status& status) {
  const auto found = trips_.find(parcel.key);
  if (found == trips_.end()) return;
  Trip& trip = found->second;
  if (trip.leaving) {
    if (!status) {
      log().warn("what trial {} leaves is not sent: {}", parcel.key.trial.n,
                 status.error().message);
    }
    return close(parcel.key);
  }
  const Status released = ObjectStore(trip.assign.job.study_dir).release(parcel.from);
  if (!released) log().warn("{}", released.error().message);
  const ArtifactRef artifact = trip.checkpoints.front();
  trip.checkpoints.pop_front();
  if (status) {
    log().info("trial {}: sent {}", parcel.key.trial.n, parcel.folder);
    trip.step = std::max(trip.step, artifact.step);
    outside_.said(parcel.key, WorkerReport{trip.step, {}, artifact});
  } else {
    log().warn("{} could not be given to the optimizer: {}", parcel.folder, status.error().message);
    // As if it could not have been written.
    const std::string why = "the checkpoint could not be sent: " + status.error().message;
    trip.end = failed_end(trip.step, FailureClass::infra, why);
    if (!trip.fate) outside_.end(parcel.key);
  }
  settle(parcel.key);
}

void Courier::over(const WorkKey& key, WorkFate fate) {
  const auto found = trips_.find(key);
  if (found == trips_.end()) return outside_.over(key, fate);
  found->second.fate = std::move(fate);
  if (found->second.unwanted) return give_up(key);
  outside_.files_travel(key, true);
  settle(key);
}

/// Goes on with an attempt as far as it can be: its last word when its checkpoints have arrived,
/// its end when everything has.
void Courier::settle(const WorkKey& key) {
  const auto found = trips_.find(key);
  if (found == trips_.end()) return;
  Trip& trip = found->second;
  if (!trip.checkpoints.empty() || trip.leaving) return;
  if (trip.fate) return send_rest(key, trip);
  if (trip.end) outside_.said(key, *std::exchange(trip.end, std::nullopt));
}

void Courier::send_rest(const WorkKey& key, Trip& trip) {
  trip.leaving = true;
  const fs::path folder = attempt_folder(trip.assign);
  Parcel rest{key, folder.lexically_relative(trip.assign.job.study_dir).string(), folder,
              files_left(trip.assign)};
  if (rest.files.empty()) return close(key);
  sender_.take(std::move(rest));
}

void Courier::close(const WorkKey& key) {
  auto node = trips_.extract(key);
  const Trip& trip = node.mapped();
  std::error_code ignored;
  fs::remove_all(attempt_folder(trip.assign), ignored);
  if (trip.assign.resume_from) {
    fs::remove_all(fs::path(trip.assign.job.study_dir) / trip.assign.resume_from->uri, ignored);
  }
  if (trip.end) outside_.said(key, *trip.end);
  outside_.over(key, *trip.fate);
}

/// Of an attempt that nobody waits for any more, and no process works on.
void Courier::give_up(const WorkKey& key) {
  sender_.drop(key);
  fetcher_.drop(key);
  Trip& trip = trips_.at(key);
  trip.checkpoints.clear();
  if (!trip.fate) trip.fate = AttemptFailure{FailureClass::infra, "ended before it began"};
  close(key);
}

void Courier::received(const Message& message, Milliseconds now) {
  if (const auto* stored = std::get_if<FileStored>(&message)) return sender_.received(*stored, now);
  if (const auto* data = std::get_if<FileData>(&message)) return fetcher_.received(*data, now);
  // Not by the clock: a session may end and another begin between two of its ticks.
  if (std::holds_alternative<Welcome>(message)) sender_.begin_again(now);
}

void Courier::tick(bool welcome, Milliseconds now) {
  welcome_ = welcome;
  if (!welcome) return;
  sender_.tick(now);
  fetcher_.tick(now);
}

bool Courier::work(Milliseconds now) {
  return welcome_ && sender_.step(now);
}

}  // namespace betatune
