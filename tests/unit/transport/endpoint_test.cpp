#include "transport/endpoint.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

class EndpointTest : public testing::Test {
 protected:
  EndpointTest() {
    std::string name = (fs::temp_directory_path() / "betatune-endpoint-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  ~EndpointTest() override { fs::remove_all(dir_); }

  static unsigned mode_of(const fs::path& path) {
    struct stat found {};
    EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 0777u;
  }
  std::string error_of(const std::string& bind) {
    const Result<Bind> result = resolve_bind(bind, dir_);
    return result ? "accepted" : result.error().message;
  }

  fs::path dir_;
};

TEST_F(EndpointTest, AutoIsASocketInAPrivateFolderOfTheStudyWhateverTheUmask) {
  const mode_t before = umask(0);
  const Result<Bind> bind = resolve_bind("ipc://auto", dir_);
  umask(before);

  ASSERT_TRUE(bind) << bind.error().message;
  EXPECT_EQ(bind.value().endpoint, "ipc://" + (dir_ / "socket" / "optimizer").string());
  EXPECT_TRUE(bind.value().token.empty());
  EXPECT_EQ(mode_of(dir_ / "socket"), 0700u);
}

TEST_F(EndpointTest, AutoFindsAShorterPathForAStudyWithALongName) {
  const fs::path study = dir_ / std::string(limits::kSocketPathBytes, 'n');
  fs::create_directories(study);

  const Result<Bind> bind = resolve_bind("ipc://auto", study);
  const Result<Bind> again = resolve_bind("ipc://auto", study);

  ASSERT_TRUE(bind) << bind.error().message;
  ASSERT_TRUE(again);
  EXPECT_LE(bind.value().endpoint.size(), limits::kSocketPathBytes + 6);
  EXPECT_EQ(bind.value().endpoint, again.value().endpoint);
  const fs::path folder = fs::path(bind.value().endpoint.substr(6)).parent_path();
  EXPECT_EQ(mode_of(folder), 0700u);
  fs::remove_all(folder);
}

TEST_F(EndpointTest, APathThatIsTooLongSaysHowLongItMayBe) {
  const std::string message = error_of("ipc:///tmp/" + std::string(200, 'x') + "/s");
  EXPECT_NE(message.find("may have 107 bytes"), std::string::npos) << message;
}

TEST_F(EndpointTest, AFolderThatOthersMayEnterIsRefused) {
  fs::create_directories(dir_ / "open");
  ASSERT_EQ(chmod((dir_ / "open").c_str(), 0755), 0);

  const std::string message = error_of("ipc://" + (dir_ / "open" / "s").string());

  EXPECT_NE(message.find("chmod 700"), std::string::npos) << message;
}

TEST_F(EndpointTest, ALinkInPlaceOfTheFolderIsRefused) {
  fs::create_directories(dir_ / "elsewhere");
  fs::create_directory_symlink(dir_ / "elsewhere", dir_ / "socket");

  const std::string message = error_of("ipc://auto");

  EXPECT_NE(message.find("not a link"), std::string::npos) << message;
}

TEST_F(EndpointTest, AFileInPlaceOfTheSocketIsKept) {
  fs::create_directories(dir_ / "private");
  ASSERT_EQ(chmod((dir_ / "private").c_str(), 0700), 0);
  std::ofstream(dir_ / "private" / "notes") << "precious";

  const std::string message = error_of("ipc://" + (dir_ / "private" / "notes").string());

  EXPECT_NE(message.find("not a socket"), std::string::npos) << message;
  EXPECT_TRUE(fs::exists(dir_ / "private" / "notes"));
}

TEST_F(EndpointTest, LoopbackHasATokenThatOnlyTheOwnerReadsAndThatStays) {
  const mode_t before = umask(0);
  const Result<Bind> first = resolve_bind("tcp://127.0.0.1:*", dir_);
  umask(before);
  const Result<Bind> second = resolve_bind("tcp://127.0.0.1:5555", dir_);

  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(mode_of(first.value().token_file), 0600u);
  EXPECT_EQ(first.value().token.size(), 32u);
  EXPECT_EQ(first.value().token, second.value().token);
}

TEST_F(EndpointTest, ATokenThatOthersMayReadIsRefused) {
  std::ofstream(dir_ / "token") << "0123456789abcdef0123456789abcdef";
  ASSERT_EQ(chmod((dir_ / "token").c_str(), 0644), 0);

  EXPECT_NE(error_of("tcp://127.0.0.1:5555").find("others may read"), std::string::npos);
}

TEST_F(EndpointTest, AddressesThatOthersCanReachAskForKeys) {
  for (const char* address :
       {"tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.2:*", "tcp://[::]:5555"}) {
    const Result<Bind> bind = resolve_bind(address, dir_);
    ASSERT_TRUE(bind) << bind.error().message;
    EXPECT_TRUE(bind.value().asks_for_keys) << address;
    EXPECT_TRUE(bind.value().token.empty()) << address;
  }
  EXPECT_FALSE(resolve_bind("tcp://127.0.0.1:5555", dir_).value().asks_for_keys);
  EXPECT_TRUE(resolve_bind("tcp://127.0.0.1:5555", dir_, true).value().asks_for_keys);
}

TEST_F(EndpointTest, WhatIsNoAddressIsRefusedWithTheWaysThatThereAre) {
  for (const char* bind :
       {"tcp://127.0.0.1:99999", "tcp://:5555", "tcp://127.0.0.1", "tcp://127.0.0.1:5x",
        "tcp://127.0.0.1:", "tcp://127.0.0.1:5555;tcp://*:5", "ipc://@abstract", "ipc://",
        "inproc://x", "http://x", ""}) {
    const std::string message = error_of(bind);
    EXPECT_EQ(message.rfind(std::string("server.bind ") + bind, 0), 0u) << bind << ": " << message;
  }
}

}  // namespace
}  // namespace betatune
