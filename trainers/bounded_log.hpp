#pragma once
/// A log file that cannot fill the disk: the first 4 MiB and the last 256 KiB of what was written.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace betatune {

class BoundedLog {
 public:
  /// The file (and its folder) is made with the first byte: silent attempts leave nothing behind.
  explicit BoundedLog(std::filesystem::path path);

  void append(std::string_view bytes);
  /// Writes the end that was held back. Call once, last.
  void finish();
  /// The last few KiB, for messages.
  std::string tail() const;

 private:
  void write(std::string_view bytes);

  std::filesystem::path path_;
  std::unique_ptr<FILE, int (*)(FILE*)> file_;
  bool failed_ = false;
  std::size_t written_ = 0;
  std::string end_;              ///< the last bytes, at most twice the bound
  std::uint64_t held_back_ = 0;  ///< bytes since the file's part was full
};

}  // namespace betatune
