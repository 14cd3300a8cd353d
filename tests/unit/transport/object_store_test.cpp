#include "transport/object_store.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <map>

#include "tests/support/temporary_directory.hpp"
#include "transport/digest.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

class ObjectStoreTest : public testing::Test {
 protected:
  /// A sealed and shared folder with one large file and a small one of its own.
  fs::path publish(const std::string& name, const std::string& large) {
    const fs::path folder = study_ / "checkpoints" / name;
    fs::create_directories(folder);
    std::ofstream(folder / "model.pt", std::ios::binary) << large;
    std::ofstream(folder / "name", std::ios::binary) << name;
    const auto seal = seal_folder(folder);
    EXPECT_TRUE(seal);
    store_.share(folder, seal.value());
    digests_[name] = seal.value().digest;
    return folder;
  }
  bool whole(const std::string& name) const {
    return static_cast<bool>(check_seal(study_ / "checkpoints" / name, digests_.at(name)));
  }
  fs::path object_of(const std::string& content) const {
    const std::string digest = digest_of(content);
    return study_ / "objects" / digest.substr(0, 2) / digest.substr(2);
  }
  std::size_t objects() const {
    std::size_t count = 0;
    if (!fs::exists(study_ / "objects")) return 0;
    for (const auto& each : fs::recursive_directory_iterator(study_ / "objects")) {
      if (each.is_regular_file()) ++count;
    }
    return count;
  }

  support::TemporaryDirectory directory_;
  fs::path study_ = directory_.path();
  ObjectStore store_{study_};
  std::map<std::string, std::string> digests_;
  const std::string weights_ = std::string(100'000, 'w');
  const std::string others_ = std::string(100'000, 'o');
};

TEST_F(ObjectStoreTest, KeepsEqualLargeFilesOnce) {
  const fs::path a = publish("a", weights_);
  const fs::path b = publish("b", weights_);

  EXPECT_TRUE(fs::equivalent(a / "model.pt", b / "model.pt"));
  EXPECT_EQ(fs::hard_link_count(a / "model.pt"), 3u);
  EXPECT_EQ(objects(), 1u);
  EXPECT_TRUE(whole("a"));
  EXPECT_TRUE(whole("b"));
}

TEST_F(ObjectStoreTest, LeavesNothingBehindInTheFolder) {
  const fs::path a = publish("a", weights_);
  store_.share(a, read_seal(a).value());
  publish("b", weights_);

  for (const auto& each : fs::recursive_directory_iterator(study_ / "checkpoints")) {
    EXPECT_NE(each.path().extension(), ".link");
  }
}

TEST_F(ObjectStoreTest, ReleasesWhatNobodyElseHas) {
  const fs::path a = publish("a", weights_);
  const fs::path b = publish("b", weights_);
  publish("c", others_);

  ASSERT_TRUE(store_.release(a));
  EXPECT_FALSE(fs::exists(a));
  EXPECT_TRUE(whole("b"));
  EXPECT_EQ(objects(), 2u);

  ASSERT_TRUE(store_.release(b));
  EXPECT_EQ(objects(), 1u);
  EXPECT_TRUE(whole("c"));
}

TEST_F(ObjectStoreTest, DoesNotSpreadDamage) {
  const fs::path a = publish("a", weights_);
  std::ofstream(a / "model.pt", std::ios::binary | std::ios::in) << 'X';  // the object as well
  ASSERT_FALSE(whole("a"));

  publish("b", weights_);
  const fs::path c = publish("c", weights_);

  EXPECT_TRUE(whole("b"));
  EXPECT_TRUE(whole("c"));
  EXPECT_TRUE(fs::equivalent(c / "model.pt", object_of(weights_))) << "the object is mended";
}

TEST_F(ObjectStoreTest, CollectsWhatAKilledSweepLeft) {
  const fs::path a = publish("a", weights_);
  publish("b", others_);
  fs::remove_all(a);  // and then it was killed

  store_.collect();

  EXPECT_EQ(objects(), 1u);
  EXPECT_TRUE(whole("b"));
}

TEST_F(ObjectStoreTest, HoldsWhatItHasThoughTheObjectsAreGone) {
  publish("a", weights_);
  fs::remove_all(study_ / "objects");

  EXPECT_TRUE(whole("a"));
  const fs::path b = publish("b", weights_);
  EXPECT_TRUE(whole("b"));
  EXPECT_TRUE(store_.release(b));
}

TEST_F(ObjectStoreTest, IsNoObstacleWhereItCannotWrite) {
  std::ofstream(study_ / "objects") << "a file where the folder would be";

  publish("a", weights_);

  EXPECT_TRUE(whole("a"));
  EXPECT_TRUE(store_.release(study_ / "checkpoints/a"));
}

TEST_F(ObjectStoreTest, ReleasesFoldersThatAreNotSealed) {
  fs::create_directories(study_ / "checkpoints/plain");
  std::ofstream(study_ / "checkpoints/plain/file") << "x";

  EXPECT_TRUE(store_.release(study_ / "checkpoints/plain"));
  EXPECT_FALSE(fs::exists(study_ / "checkpoints/plain"));
}

}  // namespace
}  // namespace betatune
