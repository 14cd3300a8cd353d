#include "trainers/torch/idx_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "tests/support/failure_text.hpp"
#include "tests/support/idx_files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune::classifier {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace support;

class IdxReaderTest : public ::testing::Test {
 protected:
  /// Everything of a file of three 2 x 2 images, as a caller reads it.
  static Bytes read_all(const std::filesystem::path& path) {
    IdxReader reader(path, 3);
    Bytes bytes(12);
    reader.read(bytes);
    reader.expect_end();
    return bytes;
  }
  std::string problem_of(const Bytes& file) {
    write_bytes(path_, file);
    return failure_text([&] { read_all(path_); });
  }

  Bytes content_ = [] {
    Bytes bytes(12);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
    return bytes;
  }();
  TemporaryDirectory folder_;
  std::filesystem::path path_ = folder_.path() / "images";
};

TEST_F(IdxReaderTest, ReadsPlainAndCompressedFilesAlike) {
  write_bytes(path_, idx_bytes({3, 2, 2}, content_));
  EXPECT_EQ(read_all(path_), content_);
  EXPECT_THAT(IdxReader(path_, 3).shape(), ElementsAre(3, 2, 2));

  write_gzip(folder_.path() / "other.gz", idx_bytes({3, 2, 2}, content_));
  EXPECT_EQ(read_all(folder_.path() / "other"), content_);
}

TEST_F(IdxReaderTest, SaysWhereAMissingFileShouldCome) {
  EXPECT_THAT(failure_text([&] { read_all(path_); }),
              AllOf(HasSubstr("cannot open"), HasSubstr("images"), HasSubstr("No such file"),
                    HasSubstr("dataset-fashion-mnist")));
}

TEST_F(IdxReaderTest, NoticesATruncatedFile) {
  Bytes file = idx_bytes({3, 2, 2}, content_);
  file.pop_back();

  EXPECT_THAT(problem_of(file), HasSubstr("is truncated"));
  EXPECT_THAT(problem_of({0, 0, 8}), HasSubstr("is truncated"));
  EXPECT_THAT(problem_of({}), HasSubstr("is truncated"));
}

TEST_F(IdxReaderTest, NoticesATruncatedCompressedFile) {
  write_gzip(path_, idx_bytes({3, 2, 2}, content_));
  const auto size = std::filesystem::file_size(path_);

  for (const std::uintmax_t cut : {size - 1, size - 9, size / 2}) {
    std::filesystem::resize_file(path_, cut);
    EXPECT_THAT(failure_text([&] { read_all(path_); }), HasSubstr("is truncated")) << cut;
  }
}

TEST_F(IdxReaderTest, NoticesDamageByTheChecksum) {
  write_gzip(path_, idx_bytes({3, 2, 2}, content_));
  Bytes bytes = read_bytes(path_);
  bytes[bytes.size() - 8] ^= 1;  // the stored CRC-32 is the last but one word

  EXPECT_THAT(problem_of(bytes), HasSubstr("is corrupt"));
}

TEST_F(IdxReaderTest, NoticesBytesThatShouldNotBeThere) {
  Bytes file = idx_bytes({3, 2, 2}, content_);
  file.push_back(0);

  EXPECT_THAT(problem_of(file), HasSubstr("more bytes than its header says"));
}

TEST_F(IdxReaderTest, RefusesOtherFormats) {
  EXPECT_THAT(problem_of({'P', 'K', 3, 4, 0, 0, 0, 0}), HasSubstr("not an idx file"));
  EXPECT_THAT(problem_of(idx_bytes({12}, content_)), HasSubstr("not an idx file"));
}

TEST_F(IdxReaderTest, RefusesImpossibleSizes) {
  EXPECT_THAT(problem_of(idx_bytes({3, 0, 2}, content_)), HasSubstr("impossible size 0"));
  EXPECT_THAT(problem_of(idx_bytes({0xffffffffu, 2, 2}, content_)),
              HasSubstr("impossible size 4294967295"));
}

}  // namespace
}  // namespace betatune::classifier
