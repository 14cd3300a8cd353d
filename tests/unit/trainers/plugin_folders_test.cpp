// Where plug-ins are looked for by their names, and who may have put them there.

#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/support/temporary_directory.hpp"
#include "trainers/plugin_host.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PluginFolder : public ::testing::Test {
 protected:
  PluginFolder() {
    fs::create_directory(folder_);
    std::ofstream(file_) << "never loaded";
    allow(folder_, 0755);
    allow(file_, 0644);
    ::setenv("BETATUNE_PLUGIN_PATH", folder_.c_str(), 1);
  }
  ~PluginFolder() override { ::unsetenv("BETATUNE_PLUGIN_PATH"); }

  static void allow(const fs::path& path, unsigned mode) {
    fs::permissions(path, static_cast<fs::perms>(mode));
  }
  /// Why it is not taken by its name.
  static std::string refusal() {
    const auto found = find_plugin("mine", "/");
    EXPECT_FALSE(found);
    if (found) return {};
    EXPECT_EQ(found.error().kind, ErrorKind::invalid_argument);
    return found.error().message;
  }

  support::TemporaryDirectory dir_;
  const fs::path folder_ = dir_ / "plugins";
  const fs::path file_ = folder_ / "mine.so";
};

TEST_F(PluginFolder, OfOnesOwnGivesPluginsByTheirNames) {
  EXPECT_EQ(find_plugin("mine", "/").value(), file_);
}

TEST_F(PluginFolder, ThatOthersMayWriteGivesNone) {
  for (const unsigned mode : {0757u, 0777u, 01777u}) {
    allow(folder_, mode);
    EXPECT_THAT(refusal(), HasSubstr("others may write " + folder_.string() + " (`chmod go-w`"));
  }
}

TEST_F(PluginFolder, GivesNoFileThatOthersMayWrite) {
  allow(file_, 0646);
  EXPECT_THAT(refusal(), HasSubstr("others may write " + file_.string()));

  // Nor one that a link of ours leads to.
  const fs::path target = dir_ / "target.so";
  fs::rename(file_, target);
  fs::create_symlink(target, file_);
  EXPECT_THAT(refusal(), HasSubstr("others may write"));
}

TEST_F(PluginFolder, OfAGroupOrOfAnotherUserGivesNone) {
  constexpr unsigned kNobody = 65'534;
  if (::chown(folder_.c_str(), static_cast<uid_t>(-1), kNobody) != 0) GTEST_SKIP() << "needs root";
  allow(folder_, 0775);
  EXPECT_THAT(refusal(), HasSubstr("others may write"));

  allow(folder_, 0755);
  EXPECT_TRUE(find_plugin("mine", "/")) << "a group that may only read";
  ASSERT_EQ(::chown(folder_.c_str(), kNobody, static_cast<gid_t>(-1)), 0);
  EXPECT_THAT(refusal(), HasSubstr("belongs to another user"));
}

TEST_F(PluginFolder, IsNotAskedWhereThePathIsGiven) {
  allow(folder_, 0777);

  EXPECT_EQ(find_plugin(file_.string(), "/").value(), file_) << "who names it says where it is";
}

}  // namespace
}  // namespace betatune
