#include "trainers/torch/distributed/world.hpp"

#include <gtest/gtest.h>

namespace betatune::distributed {
namespace {

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const CommunicationError& e) {
    return e.what();
  }
  return "";
}

TEST(Rendezvous, ReadsFilesAndAddresses) {
  EXPECT_EQ(parse_rendezvous("file:///a/b").path, "/a/b");
  const auto tcp = parse_rendezvous("tcp://[::1]:29500");
  EXPECT_EQ(tcp.host, "[::1]");
  EXPECT_EQ(tcp.port, 29500);
}

TEST(Rendezvous, RefusesWhatIsNeither) {
  for (const char* text : {"", "file://", "file://a", "tcp://", "tcp://host", "tcp://host:",
                           "tcp://:1", "tcp://host:0", "tcp://host:65536", "tcp://h:1x", "/a"}) {
    EXPECT_NE(refusal([&] { (void)parse_rendezvous(text); }).find("expected"), std::string::npos)
        << text;
  }
}

TEST(World, RefusesRanksOutsideOfIt) {
  EXPECT_NE(refusal([] { check_world({2, 2, 0, "file:///x"}); }), "");
  EXPECT_NE(refusal([] { check_world({-1, 2, 0, "file:///x"}); }), "");
  EXPECT_NE(refusal([] { check_world({0, 0, 0, ""}); }), "");
  EXPECT_NE(refusal([] { check_world({0, 2, 0, ""}); }), "");
  EXPECT_EQ(refusal([] { check_world({0, 1, 0, ""}); }), "");
}

TEST(Batch, NeedsASampleForEachRank) {
  EXPECT_EQ(refusal([] { check_batch(4, 4); }), "");
  EXPECT_NE(refusal([] { check_batch(3, 4); }).find("batch_size"), std::string::npos);
}

TEST(Slices, CoverTheBatchOnceAndEvenly) {
  for (std::int64_t batch = 1; batch < 40; ++batch) {
    for (int size = 1; size < 9; ++size) {
      std::int64_t end = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Slice slice = slice_of(batch, rank, size);
        EXPECT_EQ(slice.begin, end);
        EXPECT_GE(slice.count(), batch / size);
        EXPECT_LE(slice.count(), batch / size + 1);
        end = slice.end;
      }
      EXPECT_EQ(end, batch);
    }
  }
}

TEST(Backends, HaveNamesThatAreReadBack) {
  for (const auto b : {Backend::automatic, Backend::shared_memory, Backend::gloo, Backend::nccl}) {
    EXPECT_EQ(backend_named(name_of(b)), b);
  }
  EXPECT_NE(refusal([] { (void)backend_named("mpi"); }).find("gloo"), std::string::npos);
}

}  // namespace
}  // namespace betatune::distributed
