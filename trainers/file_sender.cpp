#include "trainers/file_sender.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

using Milliseconds = std::chrono::milliseconds;

/// On the way and not answered, at most.
constexpr std::uint64_t kWindow = 8 * limits::kFileChunkBytes;
constexpr Milliseconds kAgain{5'000};
constexpr std::uint64_t kSmall = 32u << 10;
/// Read for a digest at once: some milliseconds.
constexpr std::uint64_t kStepBytes = 4u << 20;
/// A parcel that the optimizer does not take is begun again so often.
constexpr int kRefusedMost = 3;

}  // namespace

FileSender::FileSender(Send send, Done done) : send_(std::move(send)), done_(std::move(done)) {}

void FileSender::take(Parcel parcel) {
  parcels_.push_back(std::move(parcel));
}

void FileSender::drop(const WorkKey& key) {
  if (!parcels_.empty() && parcels_.front().key == key) {
    at_ = 0;
    refused_ = 0;
    current_.reset();
  }
  std::erase_if(parcels_, [&](const Parcel& each) { return each.key == key; });
}

void FileSender::begin_again(Milliseconds now) {
  at_ = 0;
  current_.reset();
  pump(now);
}

void FileSender::tick(Milliseconds now) {
  if (current_ && now - moved_ >= kAgain) current_->asked = current_->known = false;
  pump(now);
}

void FileSender::pump(Milliseconds now) {
  if (parcels_.empty()) return;
  if (!current_ && !open_file()) return;
  if (current_->digest.empty()) return;
  if (!current_->known) {
    if (std::exchange(current_->asked, true)) return;
    moved_ = now;
    return ask();
  }
  send_bytes();
}

/// What the optimizer has of the file; a small one is sent along, as asking would take as long.
void FileSender::ask() {
  PutFile put = message();
  put.offset = 0;
  if (current_->size <= kSmall) {
    std::ifstream file(parcels_.front().from / put.path, std::ios::binary);
    put.bytes.resize(current_->size);
    file.read(put.bytes.data(), static_cast<std::streamsize>(put.bytes.size()));
    if (!file) return finish(Error{ErrorKind::unavailable, "cannot read " + put.path});
  }
  send_(put);
}

/// False where the parcel is over: its file cannot be read.
bool FileSender::open_file() {
  const Parcel& parcel = parcels_.front();
  const SealedFile& sealed = parcel.files[at_];
  const std::filesystem::path file = parcel.from / sealed.path;
  std::error_code failed;
  Current current;
  current.size = std::filesystem::file_size(file, failed);
  if (failed) {
    finish(Error{ErrorKind::unavailable, "cannot read " + file.string()});
    return false;
  }
  // A list of digests spares reading a large file once more.
  current.digest = sealed.digest;
  current_ = std::move(current);
  return !current_->digest.empty() || read_on();
}

/// The next bytes of a file whose digest nobody has given. False where it cannot be read.
bool FileSender::read_on() {
  const Parcel& parcel = parcels_.front();
  const std::filesystem::path path = parcel.from / parcel.files[at_].path;
  if (!current_->reading) current_->reading.emplace();
  std::string bytes(std::min(kStepBytes, current_->size - current_->read), '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(current_->read));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file) {
    finish(Error{ErrorKind::unavailable, "cannot read " + path.string()});
    return false;
  }
  current_->reading->add(bytes);
  current_->read += bytes.size();
  if (current_->read < current_->size) return true;
  current_->digest = current_->reading->hex();
  current_->reading.reset();
  return true;
}

bool FileSender::step(Milliseconds now) {
  const bool reads = current_ && current_->digest.empty();
  if (!reads || !read_on()) return false;
  if (current_->digest.empty()) return true;
  pump(now);
  return false;
}

PutFile FileSender::message() const {
  const Parcel& parcel = parcels_.front();
  return {parcel.key.trial, parcel.key.attempt, parcel.folder,  parcel.files[at_].path,
          current_->size,   current_->digest,   current_->sent, ""};
}

void FileSender::send_bytes() {
  if (current_->sent >= current_->size) return;
  const Parcel& parcel = parcels_.front();
  std::ifstream file(parcel.from / parcel.files[at_].path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(current_->sent));
  while (current_->sent < current_->size && current_->sent - current_->there < kWindow) {
    PutFile put = message();
    const std::uint64_t left = current_->size - current_->sent;
    put.bytes.resize(std::min<std::uint64_t>(limits::kFileChunkBytes, left));
    file.read(put.bytes.data(), static_cast<std::streamsize>(put.bytes.size()));
    if (!file) {
      return finish(Error{ErrorKind::unavailable, "cannot read " + parcel.files[at_].path});
    }
    current_->sent += put.bytes.size();
    send_(put);
  }
}

void FileSender::received(const FileStored& stored, Milliseconds now) {
  if (parcels_.empty() || !current_ || current_->digest.empty()) return;
  const Parcel& parcel = parcels_.front();
  const WorkKey key{stored.trial, stored.attempt};
  if (parcel.key != key || stored.folder != parcel.folder ||
      stored.path != parcel.files[at_].path) {
    return;  // an answer that was sent twice
  }
  moved_ = now;
  if (!stored.problem.empty()) {
    if (++refused_ < kRefusedMost) return begin_again(now);
    return finish(Error{ErrorKind::invalid_argument, stored.problem});
  }
  current_->there = std::min(stored.offset, current_->size);
  // The first answer says where to begin, or to begin again.
  if (!std::exchange(current_->known, true)) current_->sent = current_->there;
  const bool last = at_ + 1 == parcel.files.size();
  if (last ? stored.complete : stored.offset >= current_->size) {
    current_.reset();
    if (last) return finish(Ok{});
    ++at_;
  }
  pump(now);
}

void FileSender::finish(const Status& status) {
  const Parcel parcel = std::move(parcels_.front());
  parcels_.pop_front();
  at_ = 0;
  refused_ = 0;
  current_.reset();
  done_(parcel, status);
}

}  // namespace betatune
