// Bad study files and what a user reads about them: tests/golden/configs/bad/NAME.yaml and
// NAME.txt. BETATUNE_UPDATE_GOLDEN=1 writes the .txt files anew.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "configs/study_spec.hpp"
#include "searchspaces/limits.hpp"
#include "tests/support/golden_texts.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(BETATUNE_SOURCE_DIR) / "tests/golden/configs/bad";

std::string render_study(const fs::path& path) {
  Diagnostics diagnostics;
  load_study(path, diagnostics);
  return diagnostics.render(false);
}

class BadStudy : public support::GoldenTexts {
 protected:
  BadStudy() : GoldenTexts(kFolder) {}
};

TEST_P(BadStudy, IsExplained) {
  expect_golden(render_study(GetParam() + ".yaml"));
}

INSTANTIATE_TEST_SUITE_P(Golden, BadStudy, testing::ValuesIn(support::yaml_names(kFolder)),
                         [](const auto& each) { return each.param; });

TEST(BadStudyFile, MissingFile) {
  EXPECT_EQ(render_study("no/such/study.yaml"),
            "error[E0001]: cannot read `no/such/study.yaml`: No such file or directory\n");
}

TEST(BadStudyFile, Directory) {
  EXPECT_EQ(render_study("/usr"), "error[E0001]: cannot read `/usr`: it is a directory\n");
}

TEST(BadStudyFile, Device) {
  EXPECT_EQ(render_study("/dev/zero"),
            "error[E0001]: cannot read `/dev/zero`: it is not a regular file\n");
}

TEST(BadStudyFile, NamedPipeWithoutWriterDoesNotHang) {
  const support::TemporaryDirectory folder;
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);

  EXPECT_EQ(render_study(pipe),
            "error[E0001]: cannot read `" + pipe.string() + "`: it is not a regular file\n");
}

TEST(BadStudyFile, UnreadableFile) {
  // A regular file whose bytes even root cannot read: nothing is mapped at address 0.
  EXPECT_EQ(render_study("/proc/self/mem"),
            "error[E0001]: cannot read `/proc/self/mem`: Input/output error\n");
}

TEST(BadStudyFile, TwoMebibytes) {
  const support::TemporaryDirectory folder;
  const fs::path path = folder / "large.yaml";
  std::ofstream(path) << "# " << std::string(2 * limits::kStudyFileBytes, 'x') << "\nversion: 1\n";

  EXPECT_EQ(render_study(path), "error[E0002]: `" + path.string() +
                                    "` is larger than 1024 KiB, the most a study file may have\n");
}

TEST(BadStudyFile, BinaryGarbage) {
  const support::TemporaryDirectory folder;
  const fs::path path = folder / "garbage.yaml";
  std::ofstream(path, std::ios::binary) << std::string(
      "\x7f"
      "ELF\x02\x01\x01\0\0\0",
      10);

  EXPECT_EQ(render_study(path),
            "error[E0003]: this is not a text file: the byte 0x7F is a control character\n"
            " --> " +
                path.string() +
                ":1:1\n"
                "1 | ?ELF??????\n"
                "  | ^ a study file is YAML in UTF-8\n");
}

TEST(BadStudyFile, ThousandsOfProblemsAreCut) {
  const support::TemporaryDirectory folder;
  const fs::path path = folder / "many.yaml";
  {
    std::ofstream file(path);
    for (int i = 0; i < 5'000; ++i) file << "wrong" << i << ": 1\n";
  }

  const std::string shown = render_study(path);

  EXPECT_LT(shown.size(), 50'000u);
  EXPECT_NE(shown.find("more problems\n"), std::string::npos);
}

}  // namespace
}  // namespace betatune
