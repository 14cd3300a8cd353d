#pragma once
/// A disk that fails, or loses power, below SQLite: every test of it is a test of what the store
/// does with a real database file.
///
/// The shim is SQLite's default file system of this process from its first use on. It passes all on
/// to the real one, counts the calls that change a file, and can let the n-th of them fail. What it
/// records can be replayed as any disk image that a power loss could leave: what was synced is
/// there; of what was not, any part may be there, down to sectors.

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sqlite3.h>
#include <string>
#include <vector>

#include "searchspaces/random.hpp"

namespace betatune::support {

struct DiskCall {
  enum class Kind { write, truncate, sync, remove };
  Kind kind = Kind::write;
  std::string path;
  std::int64_t offset = 0;  ///< of a write; the size of a truncate
  std::string bytes;
};

class FaultDisk {
 public:
  static FaultDisk& instance() {
    static FaultDisk disk;
    return disk;
  }

  void record() {
    calls.clear();
    recording_ = true;
  }
  void stop() {
    recording_ = false;
    fail_at_ = 0;
  }
  /// The n-th changing call from now on (1, 2, ...) fails with this code; with `for_ever`, so do
  /// all behind it.
  void fail_at(std::int64_t nth, int code, bool for_ever = false) {
    counted_ = 0;
    fail_at_ = nth;
    code_ = code;
    for_ever_ = for_ever;
    failed_ = false;
  }
  bool has_failed() const { return failed_; }

  std::vector<DiskCall> calls;

 private:
  struct File {
    sqlite3_file base;
    FaultDisk* disk;
    sqlite3_file* real;
    std::string* path;
  };

  FaultDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "betatune-fault";
    vfs_.pNext = nullptr;
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    methods_ = {2,        close,       read,      write,   truncate,    sync,   size,
                lock,     unlock,      locked,    control, sector_size, traits, shm_map,
                shm_lock, shm_barrier, shm_unmap, nullptr, nullptr};
    sqlite3_vfs_register(&vfs_, 1);
  }

  /// SQLITE_OK, or what this call is to fail with.
  int fate(int code_of_kind) {
    ++counted_;
    const bool fails = fail_at_ > 0 && (counted_ == fail_at_ || (for_ever_ && counted_ > fail_at_));
    if (!fails) return SQLITE_OK;
    failed_ = true;
    return code_ == SQLITE_IOERR ? code_of_kind : code_;
  }
  void note(DiskCall call) {
    if (recording_) calls.push_back(std::move(call));
  }

  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static FaultDisk& of(sqlite3_vfs* vfs) { return *static_cast<FaultDisk*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    File& made = of(file);
    made.disk = &of(vfs);
    made.real = reinterpret_cast<sqlite3_file*>(&made + 1);
    const int code = made.disk->real_->xOpen(made.disk->real_, name, made.real, flags, out);
    made.base.pMethods = made.real->pMethods == nullptr ? nullptr : &made.disk->methods_;
    made.path = new std::string(name == nullptr ? "" : name);
    if (made.base.pMethods == nullptr) delete made.path;
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    FaultDisk& disk = of(vfs);
    if (const int code = disk.fate(SQLITE_IOERR_DELETE)) return code;
    const int code = disk.real_->xDelete(disk.real_, name, sync_folder);
    if (code == SQLITE_OK) disk.note({DiskCall::Kind::remove, name, 0, {}});
    return code;
  }
  static int close(sqlite3_file* file) {
    delete of(file).path;
    return of(file).real->pMethods->xClose(of(file).real);
  }
  static int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
    return of(file).real->pMethods->xRead(of(file).real, to, count, at);
  }
  static int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    File& to = of(file);
    if (const int code = to.disk->fate(SQLITE_IOERR_WRITE)) return code;
    const int code = to.real->pMethods->xWrite(to.real, from, count, at);
    if (code == SQLITE_OK) {
      const auto* bytes = static_cast<const char*>(from);
      to.disk->note({DiskCall::Kind::write, *to.path, at,
                     std::string(bytes, static_cast<std::size_t>(count))});
    }
    return code;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 to_size) {
    File& to = of(file);
    if (const int code = to.disk->fate(SQLITE_IOERR_TRUNCATE)) return code;
    to.disk->note({DiskCall::Kind::truncate, *to.path, to_size, {}});
    return to.real->pMethods->xTruncate(to.real, to_size);
  }
  static int sync(sqlite3_file* file, int flags) {
    File& to = of(file);
    if (const int code = to.disk->fate(SQLITE_IOERR_FSYNC)) return code;
    to.disk->note({DiskCall::Kind::sync, *to.path, 0, {}});
    return to.real->pMethods->xSync(to.real, flags);
  }
  static int size(sqlite3_file* file, sqlite3_int64* bytes) {
    return of(file).real->pMethods->xFileSize(of(file).real, bytes);
  }
  static int lock(sqlite3_file* file, int level) {
    return of(file).real->pMethods->xLock(of(file).real, level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return of(file).real->pMethods->xUnlock(of(file).real, level);
  }
  static int locked(sqlite3_file* file, int* out) {
    return of(file).real->pMethods->xCheckReservedLock(of(file).real, out);
  }
  static int control(sqlite3_file* file, int what, void* with) {
    return of(file).real->pMethods->xFileControl(of(file).real, what, with);
  }
  static int sector_size(sqlite3_file* file) {
    return of(file).real->pMethods->xSectorSize(of(file).real);
  }
  static int traits(sqlite3_file* file) {
    return of(file).real->pMethods->xDeviceCharacteristics(of(file).real);
  }
  static int shm_map(sqlite3_file* file, int region, int count, int extend, void volatile** out) {
    return of(file).real->pMethods->xShmMap(of(file).real, region, count, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
    return of(file).real->pMethods->xShmLock(of(file).real, offset, n, flags);
  }
  static void shm_barrier(sqlite3_file* file) {
    of(file).real->pMethods->xShmBarrier(of(file).real);
  }
  static int shm_unmap(sqlite3_file* file, int remove_it) {
    return of(file).real->pMethods->xShmUnmap(of(file).real, remove_it);
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  sqlite3_io_methods methods_{};
  bool recording_ = false, for_ever_ = false, failed_ = false;
  std::int64_t counted_ = 0, fail_at_ = 0;
  int code_ = SQLITE_OK;
};

/// Files of a disk, by path.
using DiskImage = std::map<std::string, std::string>;

inline DiskImage image_of(const std::filesystem::path& folder) {
  DiskImage image;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    image[entry.path().string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return image;
}

inline void apply(const DiskCall& call, std::string& file) {
  const auto at = static_cast<std::size_t>(call.offset);
  if (call.kind == DiskCall::Kind::truncate) {
    file.resize(at);
  } else if (call.kind == DiskCall::Kind::write) {
    if (file.size() < at + call.bytes.size()) file.resize(at + call.bytes.size());
    file.replace(at, call.bytes.size(), call.bytes);
  }
}

/// The parts of a write that arrived: each sector of 512 bytes by itself.
inline void apply_in_part(const DiskCall& call, std::string& file, Stream& random) {
  constexpr std::size_t kSector = 512;
  if (call.kind != DiskCall::Kind::write) {
    if (random.below(2) == 0) apply(call, file);
    return;
  }
  const std::uint64_t mood = random.below(3);  // all of it, nothing, or some
  if (mood == 0) return apply(call, file);
  if (mood == 1) return;
  for (std::size_t from = 0; from < call.bytes.size(); from += kSector) {
    if (random.below(2) == 0) continue;
    apply({DiskCall::Kind::write, call.path, call.offset + static_cast<std::int64_t>(from),
           call.bytes.substr(from, kSector)},
          file);
  }
}

/// What the disk may hold if the power went after the first `count` calls.
inline DiskImage after_power_loss(DiskImage image, const std::vector<DiskCall>& calls,
                                  std::size_t count, Stream& random) {
  std::map<std::string, std::size_t> synced;  ///< path -> calls before this one are durable
  for (std::size_t i = 0; i < count; ++i) {
    if (calls[i].kind == DiskCall::Kind::sync) synced[calls[i].path] = i;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const DiskCall& call = calls[i];
    if (call.kind == DiskCall::Kind::remove) {
      image.erase(call.path);
      continue;
    }
    const auto until = synced.find(call.path);
    if (until != synced.end() && i < until->second) {
      apply(call, image[call.path]);
    } else {
      apply_in_part(call, image[call.path], random);
    }
  }
  return image;
}

}  // namespace betatune::support
