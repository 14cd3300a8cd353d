#include "trainers/bounded_log.hpp"

#include <algorithm>

namespace betatune {
namespace {

constexpr std::size_t kHeadBytes = 4u << 20;
constexpr std::size_t kEndBytes = 256u << 10;
constexpr std::size_t kTailBytes = 4u << 10;

}  // namespace

BoundedLog::BoundedLog(std::filesystem::path path)
    : path_(std::move(path)), file_(nullptr, &std::fclose) {}

void BoundedLog::write(std::string_view bytes) {
  if (!file_ && !failed_) {
    std::error_code ignored;
    std::filesystem::create_directories(path_.parent_path(), ignored);
    file_.reset(std::fopen(path_.c_str(), "we"));
    if (file_) std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  }
  // A full disk must not stop the training's output from being read: its writer would block.
  failed_ = !file_ || std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size();
}

void BoundedLog::append(std::string_view bytes) {
  end_.append(bytes);
  if (end_.size() > 2 * kEndBytes) end_.erase(0, end_.size() - kEndBytes);
  const std::size_t head = std::min(bytes.size(), kHeadBytes - written_);
  if (head > 0) write(bytes.substr(0, head));
  written_ += head;
  held_back_ += bytes.size() - head;
}

void BoundedLog::finish() {
  if (held_back_ > 0) {
    const std::size_t kept = std::min<std::uint64_t>(held_back_, std::min(end_.size(), kEndBytes));
    const std::uint64_t dropped = held_back_ - kept;
    if (dropped > 0) write("\n[" + std::to_string(dropped) + " bytes left out here]\n");
    write(std::string_view(end_).substr(end_.size() - kept));
  }
  file_.reset();
}

std::string BoundedLog::tail() const {
  return end_.substr(end_.size() - std::min(end_.size(), kTailBytes));
}

}  // namespace betatune
