#include "transport/folder_exchange.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <system_error>
#include <unistd.h>

#include "searchspaces/limits.hpp"
#include "searchspaces/log.hpp"
#include "transport/digest.hpp"
#include "transport/durable_folder.hpp"
#include "transport/folder_names.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIncoming = "incoming";
/// A file that arrives with another digest so often is not what its trainer says.
constexpr int kSpoiltMost = 3;

/// What may be over later is `unavailable`; anything else is the fault of what was sent.
Error error_of(const fs::path& path, const std::error_code& code) {
  const bool later = code == std::errc::no_space_on_device || code == std::errc::io_error ||
                     code == std::errc::read_only_file_system ||
                     code == std::errc::too_many_files_open ||
                     code == std::errc::too_many_files_open_in_system ||
                     code == std::errc::permission_denied || code.value() == EDQUOT;
  return Error{later ? ErrorKind::unavailable : ErrorKind::invalid_argument,
               path.string() + ": " + code.message()};
}

Error io_error(const fs::path& path) {
  return error_of(path, std::error_code(errno, std::generic_category()));
}

Error not_wanted(std::string why) {
  return Error{ErrorKind::invalid_argument, std::move(why)};
}

}  // namespace

FolderExchange::FolderExchange(fs::path study_dir, ExchangeOptions options)
    : study_dir_(std::move(study_dir)), options_(options), objects_(study_dir_) {
  std::error_code ignored;
  fs::remove_all(study_dir_ / kIncoming, ignored);
}

FolderExchange::~FolderExchange() {
  std::error_code ignored;
  fs::remove_all(study_dir_ / kIncoming, ignored);
}

std::optional<FileStored> FolderExchange::put(const PutFile& message) {
  FileStored answer{message.trial, message.attempt, message.folder, message.path, 0, false, ""};
  if (!is_file_path(message.path) || !is_digest(message.digest)) {
    answer.problem = "not the path of a file in a folder, or not a digest";
    return answer;
  }
  if (message.bytes.size() > limits::kFileChunkBytes) {
    answer.problem = fmt::format("a part of more than {} bytes", limits::kFileChunkBytes);
    return answer;
  }
  if (auto published = answer_published(message, answer)) return published;
  const Key key{message.trial, message.attempt, message.folder};
  Incoming& incoming = incoming_[key];
  if (incoming.folder.empty()) {
    incoming.folder = study_dir_ / kIncoming / std::to_string(next_++);
  }
  const auto file = file_of(message, incoming);
  Status status = file ? Status(Ok{}) : Status(file.error());
  if (status && !file.value()->whole) {
    status = write(message, incoming.folder / message.path, *file.value());
  }
  if (status) {
    answer.offset = file.value()->held;
    if (file.value()->whole) status = finish(message, incoming, answer);
  }
  if (status) return answer;
  if (status.error().kind == ErrorKind::unavailable) {
    log().warn("a file from a trainer cannot be kept: {}", status.error().message);
    return std::nullopt;
  }
  answer.problem = status.error().message;
  return answer;
}

/// Of a checkpoint that is in its place already: only an answer was lost.
std::optional<FileStored> FolderExchange::answer_published(const PutFile& message,
                                                           FileStored answer) const {
  if (!is_checkpoint_of(message.folder, message.trial, message.attempt)) return std::nullopt;
  const auto seal = read_seal(study_dir_ / message.folder);
  if (!seal) return std::nullopt;
  answer.offset = message.size;
  answer.complete = message.path == kSumsName;
  if (answer.complete && seal.value().digest != message.digest) {
    answer = {message.trial,
              message.attempt,
              message.folder,
              message.path,
              0,
              false,
              "another checkpoint of this name is there"};
  }
  return answer;
}

Result<FolderExchange::File*> FolderExchange::file_of(const PutFile& message, Incoming& incoming) {
  if (incoming.files.size() >= limits::kFilesPerFolder && !incoming.files.contains(message.path)) {
    return not_wanted(fmt::format("more than {} files", limits::kFilesPerFolder));
  }
  File& file = incoming.files[message.path];
  if (file.size == message.size && file.digest == message.digest) return &file;
  file = File{message.size, message.digest, 0, false, std::nullopt, 0};
  const fs::path path = incoming.folder / message.path;
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed) return error_of(path, failed);
  fs::remove(path, failed);
  if (objects_.link(message.digest, path)) {
    file.held = file.size;
    file.whole = true;
    return &file;
  }
  if (!has_room(message.size)) {
    incoming.files.erase(message.path);
    // A trial waits for its checkpoint, but not for its log.
    const bool waits = is_checkpoint_of(message.folder, message.trial, message.attempt);
    return Error{waits ? ErrorKind::unavailable : ErrorKind::invalid_argument,
                 fmt::format("{} bytes would leave too little room on the disk", message.size)};
  }
  return &file;
}

bool FolderExchange::has_room(std::uint64_t bytes) const {
  std::error_code failed;
  const fs::space_info space = fs::space(study_dir_, failed);
  const std::uintmax_t left = options_.left_free_bytes;
  return failed || (space.available > left && space.available - left > bytes);
}

/// The next bytes, if these are they; then whether all are there and are what they should be.
Status FolderExchange::write(const PutFile& message, const fs::path& path, File& file) const {
  if (message.offset == file.held && (!message.bytes.empty() || file.size == 0)) {
    if (message.bytes.size() > file.size - file.held) return not_wanted("more than `size` bytes");
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return io_error(path);
    // A write that stops short leaves `held` as it was: the same bytes are written again.
    const ssize_t written =
        ::pwrite(fd, message.bytes.data(), message.bytes.size(), static_cast<off_t>(file.held));
    const Error error = io_error(path);
    ::close(fd);
    if (written != static_cast<ssize_t>(message.bytes.size())) return error;
    if (file.held == 0) file.so_far.emplace();
    file.so_far->add(message.bytes);
    file.held += message.bytes.size();
    if (file.held < file.size) return Ok{};
    file.whole = file.so_far->hex() == file.digest;
    file.so_far.reset();
    if (file.whole) return Ok{};
    file.held = 0;
    if (++file.spoilt >= kSpoiltMost) return not_wanted("the bytes have another digest");
  }
  return Ok{};
}

Status FolderExchange::finish(const PutFile& message, Incoming& incoming, FileStored& answer) {
  const bool checkpoint = is_checkpoint_of(message.folder, message.trial, message.attempt);
  if (checkpoint && message.path != kSumsName) return Ok{};
  if (checkpoint) {
    Status published = publish(message, incoming);
    const bool later = !published && published.error().kind == ErrorKind::unavailable;
    if (later) return published;
    std::error_code ignored;
    fs::remove_all(incoming.folder, ignored);
    incoming_.erase({message.trial, message.attempt, message.folder});
    if (!published) return published;
  } else {
    const fs::path target = study_dir_ / message.folder / message.path;
    std::error_code failed;
    fs::create_directories(target.parent_path(), failed);
    fs::rename(incoming.folder / message.path, target, failed);
    if (failed) return error_of(target, failed);
    incoming.files.erase(message.path);
  }
  answer.complete = true;
  return Ok{};
}

/// Its list has arrived, whole: so must have been what it lists.
Status FolderExchange::publish(const PutFile& message, Incoming& incoming) const {
  BETATUNE_TRY(const Seal seal, read_seal(incoming.folder));
  for (const SealedFile& each : seal.files) {
    const auto file = incoming.files.find(each.path);
    if (file == incoming.files.end() || !file->second.whole || file->second.digest != each.digest) {
      return not_wanted(fmt::format("{} is listed, and has not been sent", each.path));
    }
  }
  objects_.share(incoming.folder, seal);
  return give_name(incoming.folder, study_dir_ / message.folder);
}

Status FolderExchange::give_name(const fs::path& folder, const fs::path& name) const {
  if (options_.survives_power_loss) {
    BETATUNE_CHECK(sync_tree(folder));
    return move_into_place(folder, name, study_dir_);
  }
  std::error_code failed;
  fs::create_directories(name.parent_path(), failed);
  if (!failed) fs::rename(folder, name, failed);
  return failed ? Status(error_of(name, failed)) : Status(Ok{});
}

FileData FolderExchange::get(const GetFile& message) const {
  FileData answer{
      message.trial, message.attempt, message.folder, message.path, 0, message.offset, "", ""};
  const fs::path path = study_dir_ / message.folder / message.path;
  std::ifstream file(path, std::ios::binary);
  if (!is_file_path(message.path) || !file) {
    answer.problem = message.folder + "/" + message.path + " is missing";
    return answer;
  }
  file.seekg(0, std::ios::end);
  answer.size = static_cast<std::uint64_t>(file.tellg());
  if (message.offset >= answer.size) return answer;
  answer.bytes.resize(
      std::min<std::uint64_t>(limits::kFileChunkBytes, answer.size - message.offset));
  file.seekg(static_cast<std::streamoff>(message.offset));
  file.read(answer.bytes.data(), static_cast<std::streamsize>(answer.bytes.size()));
  if (!file) {
    answer.bytes.clear();
    answer.problem = path.string() + " cannot be read";
  }
  return answer;
}

void FolderExchange::forget(TrialId trial, AttemptId attempt) {
  for (auto at = incoming_.begin(); at != incoming_.end();) {
    if (at->first.trial != trial || at->first.attempt > attempt) {
      ++at;
      continue;
    }
    std::error_code ignored;
    fs::remove_all(at->second.folder, ignored);
    at = incoming_.erase(at);
  }
}

}  // namespace betatune
