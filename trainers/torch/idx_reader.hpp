#pragma once
/// The idx format of MNIST and its kin: a big-endian header (0, 0, 8 = unsigned bytes, number of
/// dimensions, then each dimension in 32 bits) and the bytes. Plain or gzip.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

struct gzFile_s;

namespace betatune::classifier {

/// One file, read front to back, so that no more of it is in memory than a caller keeps.
/// Every error is a plugin::Failure that names the file and says what to do.
class IdxReader {
 public:
  /// Opens `path`, or `path` + ".gz" if that does not exist. `dimensions` is what the header must
  /// say.
  IdxReader(const std::filesystem::path& path, std::size_t dimensions);
  ~IdxReader();
  IdxReader(const IdxReader&) = delete;
  IdxReader& operator=(const IdxReader&) = delete;

  /// For images: {count, rows, columns}.
  const std::vector<std::int64_t>& shape() const { return shape_; }
  const std::filesystem::path& path() const { return path_; }
  /// Fills `bytes`; an error if the file ends before.
  void read(std::span<std::uint8_t> bytes);
  /// An error if bytes follow; also checks the gzip checksum.
  void expect_end();
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  void read_header(std::size_t dimensions);
  [[noreturn]] void fail_read();

  std::filesystem::path path_;
  gzFile_s* file_ = nullptr;
  std::vector<std::int64_t> shape_;
};

}  // namespace betatune::classifier
