// Keys: the files that hold them, and who is allowed.

#include "transport/key_ring.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "transport/private_file.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

unsigned mode_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 0777u;
}

class KeyRingTest : public ::testing::Test {
 protected:
  KeyRing ring() const {
    auto opened = KeyRing::open(folder());
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }
  fs::path folder() const { return dir_ / "keys"; }

  support::TemporaryDirectory dir_;
};

TEST_F(KeyRingTest, IsPrivateWhateverTheUmaskAndKeepsItsPair) {
  const mode_t before = umask(0);
  const KeyRing first = ring();
  umask(before);

  EXPECT_EQ(mode_of(folder()), 0700u);
  EXPECT_EQ(mode_of(folder() / "server.json"), 0600u);
  EXPECT_EQ(first.server().public_key.size(), 40u);
  EXPECT_EQ(ring().server().public_key, first.server().public_key);
}

TEST_F(KeyRingTest, LetsIssuedKeysInAndKeepsNoSecretOfThem) {
  const auto key = ring().issue({"cluster", "", "alice", 8, 0});
  ASSERT_TRUE(key) << key.error().message;

  const auto grants = ring().grants();

  ASSERT_TRUE(grants);
  ASSERT_EQ(grants.value().size(), 1u);
  const KeyGrant& grant = grants.value().front();
  EXPECT_EQ(grant.public_key, key.value().own.public_key);
  EXPECT_EQ(grant.user, "alice");
  EXPECT_EQ(grant.slots, 8);
  EXPECT_GT(grant.created_at, 1'700'000'000);
  EXPECT_EQ(key.value().server, ring().server().public_key);
  for (const auto& entry : fs::recursive_directory_iterator(folder())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(support::file_text(entry.path()), Not(HasSubstr(key.value().own.secret_key)));
    EXPECT_EQ(mode_of(entry.path()), 0600u);
  }
}

TEST_F(KeyRingTest, RotationReplacesThePairAndRevocationRemovesIt) {
  const TrainerKey first = ring().issue({"cluster", "", "alice", {}, 0}).value();

  const auto second = ring().rotate("cluster");
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(second.value().own.public_key, first.own.public_key);
  EXPECT_EQ(ring().grants().value().front().public_key, second.value().own.public_key);
  EXPECT_EQ(ring().grants().value().front().user, "alice");

  EXPECT_TRUE(ring().revoke("cluster"));
  EXPECT_THAT(ring().grants().value(), IsEmpty());
  EXPECT_EQ(ring().revoke("cluster").error().kind, ErrorKind::not_found);
  EXPECT_EQ(ring().rotate("cluster").error().kind, ErrorKind::not_found);
}

TEST_F(KeyRingTest, NamesAreFilesAndWordsOfATrainersName) {
  ASSERT_TRUE(ring().issue({"a", "", "", {}, 0}));
  EXPECT_EQ(ring().issue({"a", "", "", {}, 0}).error().kind, ErrorKind::conflict);
  for (const char* name : {"", "..", "../x", "a/b", "-x", ".x", "a b", "local", "caf\xC3\xA9"}) {
    const auto refused = ring().issue({name, "", "", {}, 0});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument) << name;
    EXPECT_EQ(ring().revoke(name).error().kind, ErrorKind::not_found) << name;
  }
}

TEST_F(KeyRingTest, ADamagedGrantIsToldAndLetsNobodyIn) {
  ASSERT_TRUE(ring().issue({"good", "", "", {}, 0}));
  const fs::path file = folder() / "allowed" / "bad.json";
  for (const char* text : {"", "{", "[]", "{\"name\": \"bad\"}", "{\"name\": 3, \"public\": 4}",
                           "{\"name\": \"good\", \"public\": \"x\"}"}) {
    ASSERT_TRUE(write_private(file, text));
    const auto grants = ring().grants();
    ASSERT_FALSE(grants) << text;
    EXPECT_THAT(grants.error().message, HasSubstr("bad.json: is damaged")) << text;
  }
}

TEST_F(KeyRingTest, WhatOthersMayReadIsRefused) {
  ASSERT_TRUE(ring().issue({"a", "", "", {}, 0}));
  ASSERT_EQ(chmod((folder() / "server.json").c_str(), 0644), 0);
  EXPECT_THAT(KeyRing::open(folder()).error().message, HasSubstr("others may read this secret"));

  ASSERT_EQ(chmod(folder().c_str(), 0755), 0);
  EXPECT_THAT(KeyRing::open(folder()).error().message, HasSubstr("others may enter this folder"));
}

TEST_F(KeyRingTest, ATrainersKeyFileComesBackAsItWasWritten) {
  const TrainerKey key = ring().issue({"cluster", "", "", {}, 0}).value();
  const fs::path file = dir_ / "cluster.key";
  ASSERT_TRUE(write_trainer_key(file, key));
  EXPECT_EQ(mode_of(file), 0600u);

  const auto read = read_trainer_key(file);

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read.value().name, key.name);
  EXPECT_EQ(read.value().own.secret_key, key.own.secret_key);
  EXPECT_EQ(read.value().server, key.server);
}

TEST_F(KeyRingTest, WhatIsNoKeyFileSaysHowToGetOne) {
  const fs::path file = dir_ / "x.key";
  EXPECT_EQ(read_trainer_key(file).error().kind, ErrorKind::not_found);
  for (const char* text : {"", "{}", "null", "{\"betatune_key\": 1}",
                           "{\"betatune_key\": 1, \"name\": \"a\", \"public\": \"short\", "
                           "\"secret\": \"short\", \"server\": \"short\"}"}) {
    ASSERT_TRUE(write_private(file, text));
    const auto read = read_trainer_key(file);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr("betatune key new")) << text;
  }
}

}  // namespace
}  // namespace betatune
