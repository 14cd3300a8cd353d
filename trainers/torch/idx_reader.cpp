#include "trainers/torch/idx_reader.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <zlib.h>

#include "trainers/trainer.hpp"

namespace betatune::classifier {
namespace {

constexpr std::int64_t kMostItems = 100'000'000;
constexpr std::int64_t kMostPixelsPerSide = 4'096;
constexpr std::uint8_t kUnsignedBytes = 8;
constexpr unsigned kBufferBytes = 256u << 10;

}  // namespace

IdxReader::IdxReader(const std::filesystem::path& path, std::size_t dimensions) : path_(path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path_, ignored)) path_ += ".gz";
  errno = 0;
  file_ = gzopen(path_.c_str(), "rb");
  if (file_ == nullptr) {
    const int reason = errno;
    throw plugin::Failure(
        BETATUNE_ERROR,
        "cannot open " + path.string() + "[.gz]: " + std::generic_category().message(reason) +
            "; trainer.config.data must name a folder with the four idx files of the data set "
            "(Debian's package dataset-fashion-mnist puts them into "
            "/usr/share/datasets/fashion-mnist)");
  }
  gzbuffer(file_, kBufferBytes);
  try {
    read_header(dimensions);
  } catch (...) {
    gzclose(file_);
    throw;
  }
}

IdxReader::~IdxReader() {
  gzclose(file_);
}

void IdxReader::read_header(std::size_t dimensions) {
  std::array<std::uint8_t, 4> word{};
  read(word);
  if (word[0] != 0 || word[1] != 0 || word[2] != kUnsignedBytes || word[3] != dimensions) {
    fail("is not an idx file of unsigned bytes with " + std::to_string(dimensions) +
         " dimension(s)");
  }
  for (std::size_t i = 0; i < dimensions; ++i) {
    read(word);
    std::int64_t size = 0;
    for (const std::uint8_t byte : word) size = size * 256 + byte;
    if (size < 1 || size > (i == 0 ? kMostItems : kMostPixelsPerSide)) {
      fail("has a header with the impossible size " + std::to_string(size));
    }
    shape_.push_back(size);
  }
}

void IdxReader::read(std::span<std::uint8_t> bytes) {
  constexpr std::size_t kMostAtOnce = 1u << 30;  // gzread counts in int
  while (!bytes.empty()) {
    const std::size_t want = std::min(bytes.size(), kMostAtOnce);
    const int got = gzread(file_, bytes.data(), static_cast<unsigned>(want));
    if (got <= 0) fail_read();
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

void IdxReader::expect_end() {
  std::uint8_t byte = 0;
  const int got = gzread(file_, &byte, 1);
  // zlib answers 0 for a file cut within its checksum, and tells only through gzerror.
  int code = Z_OK;
  gzerror(file_, &code);
  if (got < 0 || (got == 0 && code != Z_OK)) fail_read();
  if (got > 0) fail("has more bytes than its header says");
}

void IdxReader::fail_read() {
  int code = Z_OK;
  const std::string text = gzerror(file_, &code);
  if (code == Z_OK || code == Z_BUF_ERROR) fail("is truncated");
  if (code == Z_ERRNO) {
    throw plugin::Failure(BETATUNE_INFRA, "cannot read " + path_.string() + ": " +
                                              std::generic_category().message(errno));
  }
  fail("is corrupt (" + text + ")");
}

void IdxReader::fail(const std::string& problem) const {
  throw plugin::Failure(BETATUNE_ERROR, path_.string() + " " + problem +
                                            "; get the data set again, or point trainer.config.data"
                                            " at another folder");
}

}  // namespace betatune::classifier
