#include "trainers/torch/distributed/asynchronous/journal.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {
namespace {

constexpr std::uint64_t kMagic = 0x31'65'6e'75'74'61'74'62u;  // "btatune1"

[[noreturn]] void fail(const std::string& file, const std::string& problem) {
  throw plugin::Failure(BETATUNE_INFRA, "parameter server: " + file + " " + problem);
}
[[noreturn]] void fail_errno(const std::string& file, const std::string& what) {
  fail(file, "cannot be " + what + ": " + std::strerror(errno));
}

std::uint32_t checksum(std::uint32_t sum, std::span<const std::byte> bytes) {
  // zlib takes lengths of 32 bits.
  constexpr std::size_t kMost = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kMost));
    sum = static_cast<std::uint32_t>(
        crc32(sum, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(part.size())));
    bytes = bytes.subspan(part.size());
  }
  return sum;
}

void write_all(int file, std::span<const std::byte> bytes, const std::string& name) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno(name, "written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

Bytes read_all(const std::string& name) {
  std::ifstream in(name, std::ios::binary | std::ios::ate);
  if (!in) fail_errno(name, "read");
  Bytes bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in) fail_errno(name, "read");
  return bytes;
}

void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail_errno(folder, "opened");
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

Journal::Journal(JournalSettings settings, ServerCore& core) : settings_(std::move(settings)) {
  std::error_code error;
  std::filesystem::create_directories(settings_.folder, error);
  if (error) fail(settings_.folder, "cannot be made: " + error.message());
  lock_ = ::open(path("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) fail_errno(path("lock"), "opened");
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    fail(settings_.folder, "is in use by another server; give each one a folder of its own");
  }
  if (read_snapshot(core)) {
    replay(core);
    open_journal(false);
  } else {
    write_snapshot(core);
  }
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
  if (lock_ >= 0) ::close(lock_);
}

void Journal::write_snapshot(const ServerCore& core) {
  Bytes body;
  Writer body_writer(body);
  core.save(body_writer);
  Bytes head;
  ++generation_;
  Writer(head)
      .number(kMagic)
      .number(generation_)
      .number(std::uint64_t{body.size()})
      .number(checksum(0, body));
  open_journal(true);  // before the snapshot that needs it
  const std::string temporary = path("snapshot.new");
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail_errno(temporary, "opened");
  write_all(file, head, temporary);
  write_all(file, body, temporary);
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  if (!synced) fail_errno(temporary, "brought to disk");
  if (::rename(temporary.c_str(), path("snapshot").c_str()) != 0) {
    fail_errno(path("snapshot"), "replaced");
  }
  sync_folder(settings_.folder);
  ::unlink(path("journal." + std::to_string(generation_ - 1)).c_str());
  snapshot_bytes_ = head.size() + body.size();
}

bool Journal::read_snapshot(ServerCore& core) {
  if (!std::filesystem::exists(path("snapshot"))) return false;
  const Bytes bytes = read_all(path("snapshot"));
  try {
    Reader in(bytes);
    if (in.number<std::uint64_t>() != kMagic) throw Garbled("it is not a snapshot");
    generation_ = in.number<std::uint64_t>();
    const auto body = in.take(in.number<std::uint64_t>() + 4);
    Reader sum(body.first(4));
    if (sum.number<std::uint32_t>() != checksum(0, body.subspan(4))) {
      throw Garbled("its checksum is wrong");
    }
    Reader state(body.subspan(4));
    core.load(state);
  } catch (const Garbled& garbled) {
    fail(path("snapshot"), std::string("cannot be used: ") + garbled.what());
  }
  snapshot_bytes_ = bytes.size();
  return true;
}

void Journal::replay(ServerCore& core) {
  const std::string name = path(journal_name());
  if (!std::filesystem::exists(name)) return;
  const Bytes bytes = read_all(name);
  std::size_t good = 0;
  while (bytes.size() - good >= 12) {
    Reader head(std::span<const std::byte>(bytes).subspan(good));
    const auto size = head.number<std::uint64_t>();
    const auto sum = head.number<std::uint32_t>();
    if (size > head.left()) break;  // it was being written
    const auto body = head.take(size);
    if (checksum(0, body) != sum) {
      if (head.left() == 0) break;
      fail(name, "is damaged at byte " + std::to_string(good) + " of " +
                     std::to_string(bytes.size()) + "; restore the folder from a copy");
    }
    try {
      apply(core, body);
    } catch (const std::exception& problem) {
      fail(name, "cannot be applied at byte " + std::to_string(good) + ": " + problem.what());
    }
    good += 12 + size;
  }
  std::filesystem::resize_file(name, good);
  bytes_ = good;
}

void Journal::apply(ServerCore& core, std::span<const std::byte> body) {
  Reader in(body);
  const auto kind = static_cast<Kind>(in.number<std::uint8_t>());
  const auto worker = in.number<std::int32_t>();
  if (kind == Kind::leave) return core.leave(worker);
  Push push{worker, in.number<std::uint64_t>(), {}, {}};
  const Sizes sizes = core.sizes();
  for (std::size_t k = 0; k < sizes.size(); ++k) push.bases.push_back(in.number<std::uint64_t>());
  Layers values = zeros(sizes);
  for (auto& layer : values) {
    const auto bytes = in.take(layer.size() * sizeof(float));
    if (!bytes.empty()) std::memcpy(layer.data(), bytes.data(), bytes.size());
    push.values.emplace_back(layer);
  }
  core.check(push);
  core.push(push, nullptr);
  ++replayed_;
}

void Journal::open_journal(bool fresh) {
  if (file_ >= 0) ::close(file_);
  const std::string name = path(journal_name());
  file_ =
      ::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0644);
  if (file_ < 0) fail_errno(name, "opened");
  if (fresh) bytes_ = 0;
}

void Journal::append(const Bytes& head, const std::vector<std::span<const float>>& values) {
  std::uint64_t size = head.size();
  std::uint32_t sum = checksum(0, head);
  for (const auto& layer : values) {
    size += layer.size_bytes();
    sum = checksum(sum, std::as_bytes(layer));
  }
  Bytes front;
  Writer(front).number(size).number(sum).raw(head.data(), head.size());
  const std::string name = path(journal_name());
  try {
    write_all(file_, front, name);
    for (const auto& layer : values) write_all(file_, std::as_bytes(layer), name);
  } catch (...) {
    // What is there of it must not be taken for the next record's beginning.
    if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) fail_errno(name, "cut back");
    throw;
  }
  if (settings_.sync && ::fdatasync(file_) != 0) fail_errno(name, "brought to disk");
  bytes_ += front.size() + size - head.size();
}

void Journal::record(const Push& push) {
  Bytes head;
  Writer out(head);
  out.number(static_cast<std::uint8_t>(Kind::push)).number(static_cast<std::int32_t>(push.worker));
  out.number(push.sequence);
  for (const auto base : push.bases) out.number(base);
  append(head, push.values);
}

void Journal::record_leave(int worker) {
  Bytes head;
  Writer(head)
      .number(static_cast<std::uint8_t>(Kind::leave))
      .number(static_cast<std::int32_t>(worker));
  append(head, {});
}

void Journal::compact(const ServerCore& core) {
  const auto limit =
      settings_.snapshot_after_bytes > 0 ? settings_.snapshot_after_bytes : 8 * snapshot_bytes_;
  if (bytes_ >= limit) write_snapshot(core);
}

}  // namespace betatune::distributed::asynchronous
