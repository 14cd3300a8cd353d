#include "trainers/file_fetcher.hpp"

#include <fstream>
#include <system_error>
#include <utility>

#include "searchspaces/limits.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using Milliseconds = std::chrono::milliseconds;

/// Asked for and not there yet, at most.
constexpr std::uint64_t kWindow = 8 * limits::kFileChunkBytes;
constexpr Milliseconds kAgain{5'000};
/// Times that a checkpoint may arrive damaged.
constexpr int kSpoiltMost = 2;

}  // namespace

FileFetcher::FileFetcher(Send send, Done done) : send_(std::move(send)), done_(std::move(done)) {}

void FileFetcher::take(Order order) {
  orders_.push_back(std::move(order));
  if (orders_.size() == 1) begin();
}

void FileFetcher::drop(const WorkKey& key) {
  const bool first = !orders_.empty() && orders_.front().key == key;
  std::error_code ignored;
  if (first) fs::remove_all(beside(), ignored);
  std::erase_if(orders_, [&](const Order& each) { return each.key == key; });
  if (!first) return;
  spoilt_ = 0;
  if (!orders_.empty()) begin();
}

fs::path FileFetcher::beside() const {
  fs::path folder = orders_.front().folder;
  folder += ".tmp";
  return folder;
}

void FileFetcher::begin() {
  std::error_code failed;
  fs::remove_all(beside(), failed);
  fs::create_directories(beside(), failed);
  files_ = {{kSumsName, *orders_.front().checkpoint.digest}};
  at_ = 0;
  here_ = asked_ = 0;
  size_.reset();
}

void FileFetcher::tick(Milliseconds now) {
  if (orders_.empty()) return;
  if (now - moved_ >= kAgain) asked_ = here_;
  pump(now);
}

void FileFetcher::pump(Milliseconds now) {
  if (orders_.empty()) return;
  const Order& order = orders_.front();
  // Until the size is known, one part.
  const auto wants_more = [&] {
    return size_ ? asked_ < *size_ && asked_ - here_ < kWindow : asked_ == here_;
  };
  while (wants_more()) {
    if (asked_ == here_) moved_ = now;
    send_(GetFile{order.key.trial, order.key.attempt, order.checkpoint.uri, files_[at_].path,
                  asked_});
    asked_ += limits::kFileChunkBytes;
  }
}

void FileFetcher::received(const FileData& data, Milliseconds now) {
  if (orders_.empty()) return;
  const Order& order = orders_.front();
  const WorkKey key{data.trial, data.attempt};
  if (order.key != key || data.folder != order.checkpoint.uri || data.path != files_[at_].path ||
      data.offset != here_) {
    return;  // an answer that came twice, or too late
  }
  moved_ = now;
  if (!data.problem.empty()) return finish(Error{ErrorKind::corrupt, data.problem});
  size_ = data.size;
  const Status written = write(data);
  if (!written) return finish(written);
  if (here_ == 0) so_far_ = Digester();
  so_far_.add(data.bytes);
  here_ += data.bytes.size();
  if (here_ >= *size_) return file_done(now);
  pump(now);
}

Status FileFetcher::write(const FileData& data) {
  const fs::path file = beside() / files_[at_].path;
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  std::ofstream out(file, std::ios::binary | (here_ == 0 ? std::ios::trunc : std::ios::app));
  out << data.bytes;
  out.close();
  if (!out) return Error{ErrorKind::unavailable, "cannot write " + file.string()};
  return Ok{};
}

Status FileFetcher::check() {
  const SealedFile& file = files_[at_];
  if (so_far_.hex() != file.digest) {
    const std::string what = at_ == 0 ? " is not the one that was reported" : " has changed";
    return Error{ErrorKind::corrupt, "checkpoint " + orders_.front().checkpoint.uri +
                                         " is damaged: " + file.path + what};
  }
  return at_ == 0 ? read_list() : Status(Ok{});
}

Status FileFetcher::read_list() {
  BETATUNE_TRY(const Seal seal, read_seal(beside()));
  files_.insert(files_.end(), seal.files.begin(), seal.files.end());
  return Ok{};
}

void FileFetcher::file_done(Milliseconds now) {
  const Status good = check();
  here_ = asked_ = 0;
  size_.reset();
  if (good && ++at_ < files_.size()) return pump(now);
  if (!good && good.error().kind == ErrorKind::corrupt && ++spoilt_ < kSpoiltMost) {
    begin();
    return pump(now);
  }
  finish(good);
}

void FileFetcher::finish(const Status& status) {
  const Order order = orders_.front();
  Status result = status;
  std::error_code failed;
  if (result) {
    fs::remove_all(order.folder, failed);
    fs::rename(beside(), order.folder, failed);
    if (failed) {
      result = Error{ErrorKind::unavailable, order.folder.string() + ": " + failed.message()};
    }
  }
  if (!result) fs::remove_all(beside(), failed);
  orders_.pop_front();
  spoilt_ = 0;
  if (!orders_.empty()) begin();
  done_(order, result);
}

}  // namespace betatune
