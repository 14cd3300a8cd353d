#include "transport/sealed_folder.hpp"

#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"
#include "transport/digest.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// printf '' | b2sum -l 256; printf 'abc' | b2sum -l 256
constexpr const char* kOfNothing =
    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
constexpr const char* kOfAbc = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";

class SealedFolderTest : public testing::Test {
 protected:
  SealedFolderTest() {
    fs::create_directories(folder_ / "sub");
    write("model.pt", "weights");
    write("sub/state.json", "{}");
    write("empty", "");
  }
  void write(const std::string& path, const std::string& text) const {
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }
  std::string sealed() const {
    const auto seal = seal_folder(folder_);
    EXPECT_TRUE(seal) << seal.error().message;
    return seal ? seal.value().digest : "";
  }
  std::string damage(const std::string& digest) const {
    const Status checked = check_seal(folder_, digest);
    if (checked) return {};
    EXPECT_EQ(checked.error().kind, ErrorKind::corrupt);
    return checked.error().message;
  }

  support::TemporaryDirectory directory_;
  fs::path folder_ = directory_.path() / "checkpoint";
};

TEST(Digest, IsThatOfB2sum) {
  EXPECT_EQ(digest_of(""), kOfNothing);
  EXPECT_EQ(digest_of("abc"), kOfAbc);
}

TEST(Digest, OfAFileIsThatOfItsBytes) {
  const support::TemporaryDirectory directory;
  const fs::path file = directory.path() / "file";
  const std::string bytes((3u << 20) + 17, 'x');  // more than is read at once
  std::ofstream(file, std::ios::binary) << bytes;

  const auto digest = digest_of_file(file);

  ASSERT_TRUE(digest);
  EXPECT_EQ(digest.value(), digest_of(bytes));
  EXPECT_EQ(digest_of_file(directory.path() / "nowhere").error().kind, ErrorKind::not_found);
  EXPECT_EQ(digest_of_file(directory.path()).error().kind, ErrorKind::unavailable);
}

TEST_F(SealedFolderTest, IsWholeUntilSomethingChanges) {
  const std::string digest = sealed();

  EXPECT_EQ(damage(digest), "");
  write("later", "what is put beside is nobody's");
  EXPECT_EQ(damage(digest), "");
}

TEST_F(SealedFolderTest, ListsFilesAsB2sumDoes) {
  sealed();

  std::ifstream list(folder_ / kSumsName);
  std::string first;
  std::getline(list, first);
  EXPECT_EQ(first, std::string(kOfNothing) + "  empty");
}

TEST_F(SealedFolderTest, HasADigestThatDependsOnNamesAndContentsAlone) {
  const std::string digest = sealed();
  EXPECT_EQ(sealed(), digest) << "sealed again, over its own list";

  fs::rename(folder_ / "empty", folder_ / "void");
  EXPECT_NE(sealed(), digest);
}

TEST_F(SealedFolderTest, NeverWritesThroughALinkToAnotherList) {
  sealed();
  const fs::path copy = directory_.path() / "copy";
  fs::create_directories(copy);
  fs::create_hard_link(folder_ / kSumsName, copy / kSumsName);
  const std::string digest = read_seal(folder_).value().digest;

  ASSERT_TRUE(seal_folder(copy));

  EXPECT_EQ(read_seal(folder_).value().digest, digest);
}

TEST_F(SealedFolderTest, TakesALinkForWhatItLeadsTo) {
  fs::create_symlink("model.pt", folder_ / "last.pt");
  fs::create_symlink("nowhere", folder_ / "dangling");
  const std::string digest = sealed();
  EXPECT_EQ(damage(digest), "");

  fs::remove(folder_ / "last.pt");
  EXPECT_THAT(damage(digest), HasSubstr("last.pt is missing"));
}

TEST_F(SealedFolderTest, RefusesNamesThatAListCannotHold) {
  write("two\nlines", "");

  const auto seal = seal_folder(folder_);

  ASSERT_FALSE(seal);
  EXPECT_EQ(seal.error().kind, ErrorKind::invalid_argument);
}

struct Damage {
  const char* name;
  std::function<void(const fs::path&)> make;
  const char* message;
};

class SealedFolderFinds : public SealedFolderTest, public testing::WithParamInterface<Damage> {};

TEST_P(SealedFolderFinds, AndNamesIt) {
  const std::string digest = sealed();

  GetParam().make(folder_);

  EXPECT_THAT(damage(digest), HasSubstr(GetParam().message));
}

void overwrite(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Damages, SealedFolderFinds,
    testing::Values(
        Damage{"AFlippedBit", [](const fs::path& at) { overwrite(at / "model.pt", "wEights"); },
               "model.pt has changed"},
        Damage{"ATornFile", [](const fs::path& at) { fs::resize_file(at / "model.pt", 3); },
               "model.pt has changed"},
        Damage{"AMissingFile", [](const fs::path& at) { fs::remove(at / "sub/state.json"); },
               "sub/state.json is missing"},
        Damage{"AMissingList", [](const fs::path& at) { fs::remove(at / kSumsName); },
               "B2SUMS is missing"},
        Damage{"ATornList", [](const fs::path& at) { fs::resize_file(at / kSumsName, 70); },
               "B2SUMS is not the one"},
        Damage{"AListOfSomethingElse",
               [](const fs::path& at) { overwrite(at / kSumsName, "not a list\n"); },
               "not one of b2sum's"},
        Damage{"AnEscape",
               [](const fs::path& at) {
                 overwrite(at / kSumsName, std::string(kOfNothing) + "  ../../etc/passwd\n");
               },
               "outside of it"},
        Damage{"AnotherCheckpoint",
               [](const fs::path& at) {
                 overwrite(at / "model.pt", "others");
                 static_cast<void>(seal_folder(at));
               },
               "B2SUMS is not the one"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace betatune
