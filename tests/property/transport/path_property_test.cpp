/// Names that come from outside never lead out of the folders that they are names in.

#include <gtest/gtest.h>

#include "tests/support/file_text.hpp"
#include "tests/support/for_all.hpp"
#include "tests/support/temporary_directory.hpp"
#include "transport/folder_exchange.hpp"
#include "transport/folder_names.hpp"
#include "transport/key_ring.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kVectors = 5'000;
constexpr TrialId kTrial{0};
constexpr AttemptId kAttempt{1};
const std::string kCheckpoint = "checkpoints/trial-0/attempt-1-step-1";

/// What has led others out of their folders, in every order.
std::string draw_path(Stream& stream) {
  static const std::vector<std::string> kParts = {
      "..",   ".",   "",  "a",       "model",  "%2e%2e", "..%2f", "%252e",
      "..\\", "...", "~", "outside", "B2SUMS", "secret", ". .",   "\xc0\xae\xc0\xae",
      "con:", "..\n"};
  static const std::vector<std::string> kBetween = {"/", "/", "/", "//", "\\", "%2f", ""};
  std::string path;
  if (stream.below(8) == 0) path = "/";
  for (std::uint64_t n = 1 + stream.below(6); n > 0; --n) {
    path += kParts[stream.below(kParts.size())];
    if (n > 1) path += kBetween[stream.below(kBetween.size())];
  }
  if (stream.below(16) == 0) path.insert(stream.below(path.size() + 1), 1, '\0');
  if (stream.below(32) == 0) path += std::string(stream.below(3'000), 'x');
  if (stream.below(16) == 0) path = kCheckpoint + "/" + path;
  return path;
}

/// A study's folder in a folder that has a secret.
class PathProperty : public ::testing::Test {
 protected:
  PathProperty() {
    fs::create_directories(study_ / kCheckpoint);
    std::ofstream(study_ / kCheckpoint / "model") << "weights";
    std::ofstream(outside_) << kSecret;
  }

  /// Nothing is beside the study but what was there, and nothing in it but where files may come.
  void expect_nothing_escaped() const {
    EXPECT_EQ(entries(sandbox_.path()), (std::set<std::string>{"secret", "study"}));
    EXPECT_EQ(support::file_text(outside_), kSecret);
    for (const std::string& each : entries(study_)) {
      EXPECT_TRUE(each == "checkpoints" || each == "trials" || each == "incoming" ||
                  each == "objects")
          << each;
    }
    EXPECT_EQ(entries(study_ / "checkpoints"), (std::set<std::string>{"trial-0"}));
    EXPECT_EQ(support::file_text(study_ / kCheckpoint / "model"), "weights");
  }
  static std::set<std::string> entries(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& each : fs::directory_iterator(folder)) names.insert(each.path().filename());
    return names;
  }

  static constexpr const char* kSecret = "what is not the study's";
  support::TemporaryDirectory sandbox_;
  const fs::path study_ = sandbox_ / "study", outside_ = sandbox_ / "secret";
};

PutFile whole_file(const std::string& folder, const std::string& path, const std::string& bytes) {
  return {kTrial, kAttempt, folder, path, bytes.size(), digest_of(bytes), 0, bytes};
}

TEST_F(PathProperty, OfFilesThatTravelStaysInItsFolder) {
  int tried = 0;
  FolderExchange exchange(study_, {.survives_power_loss = false, .left_free_bytes = 0});
  test::for_all(
      root_key(1301), draw_path,
      [&](const std::string& path) {
        const std::string folder = "checkpoints/trial-0/attempt-1-step-2";
        static_cast<void>(
            exchange.put(whole_file(attempt_folder_name(kTrial, kAttempt), path, "x")));
        static_cast<void>(exchange.put(whole_file(folder, path, "x")));
        static_cast<void>(
            exchange.put(whole_file(folder, "B2SUMS", digest_of(kSecret) + "  " + path + "\n")));
        const FileData data = exchange.get({kTrial, kAttempt, kCheckpoint, path, 0});
        EXPECT_TRUE(data.bytes.empty() || path == "model") << path << ": " << data.bytes;
        exchange.forget(kTrial, kAttempt);
        if (++tried % 20 == 0) expect_nothing_escaped();
      },
      kVectors / 4);  // in four places each
}

TEST_F(PathProperty, OfACheckpointIsTheOneFormThatAnAttemptMayGive) {
  test::for_all(
      root_key(1302), draw_path,
      [&](const std::string& path) {
        EXPECT_FALSE(is_checkpoint_of(path, kTrial, kAttempt));
        EXPECT_FALSE(
            is_checkpoint_of("checkpoints/trial-0/attempt-1-step-" + path, kTrial, kAttempt));
        EXPECT_FALSE(is_checkpoint_of(kCheckpoint + "/" + path, kTrial, kAttempt));
      },
      kVectors);
  EXPECT_TRUE(is_checkpoint_of(kCheckpoint, kTrial, kAttempt));
}

TEST_F(PathProperty, OfAKeyIsAName) {
  const KeyRing ring = KeyRing::open(study_ / "keys").value();
  test::for_all(
      root_key(1303), draw_path,
      [&](const std::string& path) {
        const bool parts_without_separators = path.find_first_of("/\\%") == std::string::npos;
        EXPECT_TRUE(!ring.issue({path, "", "", {}, 0}) || parts_without_separators) << path;
        static_cast<void>(ring.rotate(path));
        EXPECT_FALSE(ring.revoke(path) && !parts_without_separators) << path;
        EXPECT_EQ(entries(sandbox_.path()), (std::set<std::string>{"secret", "study"}));
        EXPECT_EQ(entries(study_), (std::set<std::string>{"checkpoints", "keys"}));
        EXPECT_EQ(entries(study_ / "keys"), (std::set<std::string>{"allowed", "server.json"}));
        EXPECT_EQ(support::file_text(outside_), kSecret);
      },
      kVectors);
}

}  // namespace
}  // namespace betatune
