/// What the processes of a command that is started per rank are given, and which of them is to
/// blame when they fail.

#include <csignal>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

#include "trainers/command/blame.hpp"
#include "trainers/command/child_spec.hpp"
#include "trainers/command/rank_variables.hpp"
#include "trainers/command/reserved_port.hpp"

namespace betatune {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

TEST(RankVariables, AreThoseOfTorchrunOnOneMachine) {
  using Variable = std::pair<std::string, std::string>;

  EXPECT_THAT(
      rank_variables({2, 4, 29'500, "trial-7-attempt-1"}),
      UnorderedElementsAre(
          Variable{"RANK", "2"}, Variable{"LOCAL_RANK", "2"}, Variable{"ROLE_RANK", "2"},
          Variable{"GROUP_RANK", "0"}, Variable{"WORLD_SIZE", "4"},
          Variable{"LOCAL_WORLD_SIZE", "4"}, Variable{"ROLE_WORLD_SIZE", "4"},
          Variable{"GROUP_WORLD_SIZE", "1"}, Variable{"ROLE_NAME", "default"},
          Variable{"MASTER_ADDR", "127.0.0.1"}, Variable{"MASTER_PORT", "29500"},
          Variable{"TORCHELASTIC_RUN_ID", "trial-7-attempt-1"},
          Variable{"TORCHELASTIC_RESTART_COUNT", "0"}, Variable{"TORCHELASTIC_MAX_RESTARTS", "0"},
          Variable{"TORCHELASTIC_USE_AGENT_STORE", "False"}));
}

Assign two_ranks() {
  Assign assign;
  assign.trial = TrialId{7};
  assign.attempt = AttemptId{1};
  assign.job.command = {"train", "--rank={rank}/{ranks}", "{metrics_file}"};
  assign.job.per_rank = true;
  assign.job.ranks = 2;
  assign.job.cpus = 6;
  assign.job.study_dir = "/study";
  return assign;
}

std::vector<std::string> environment_of(const Assign& assign, int rank) {
  CommandPlace place;
  place.port = 29'500;
  return child_spec(assign, place, rank).environment;
}

TEST(ChildSpec, TellsEachRankItsPlace) {
  const ChildSpec spec = child_spec(two_ranks(), CommandPlace{}, 1);

  EXPECT_THAT(spec.argv, ElementsAre("train", "--rank=1/2",
                                     "/study/trials/7/attempt-1/scratch/metrics.rank-1.jsonl"));
  const auto environment = environment_of(two_ranks(), 1);
  EXPECT_THAT(environment, Contains("BETATUNE_RANK=1"));
  EXPECT_THAT(environment, Contains("BETATUNE_RANKS=2"));
  EXPECT_THAT(environment, Contains("RANK=1"));
  EXPECT_THAT(environment, Contains("WORLD_SIZE=2"));
  EXPECT_THAT(environment, Contains("MASTER_PORT=29500"));
  EXPECT_THAT(environment, Contains("TORCHELASTIC_RUN_ID=trial-7-attempt-1"));
  EXPECT_THAT(environment, Contains("BETATUNE_CPUS=3"));
}

TEST(ChildSpec, GivesRankZeroAloneAFileOfReportsThatIsRead) {
  const auto file_of = [](int rank) {
    return Contains(AllOf(StartsWith("BETATUNE_METRICS_FILE="),
                          EndsWith(rank == 0 ? "/metrics.jsonl" : "/metrics.rank-1.jsonl")));
  };
  EXPECT_THAT(environment_of(two_ranks(), 0), file_of(0));
  EXPECT_THAT(environment_of(two_ranks(), 1), file_of(1));
}

TEST(ChildSpec, SaysNothingOfRanksToTheOneProcessOfACommand) {
  Assign assign = two_ranks();
  assign.job.per_rank = false;
  assign.job.ranks = 1;

  EXPECT_THAT(environment_of(assign, 0), Not(Contains(StartsWith("MASTER_PORT="))));
  EXPECT_THAT(environment_of(assign, 0), Not(Contains(StartsWith("BETATUNE_RANK"))));
  EXPECT_THAT(environment_of(assign, 0), Contains("BETATUNE_CPUS=6"));
}

TEST(ChildSpec, PutsItsOwnVariablesInThePlaceOfInheritedOnes) {
  ::setenv("RANK", "9", 1);
  const auto environment = environment_of(two_ranks(), 0);
  ::unsetenv("RANK");

  EXPECT_THAT(environment, Contains("RANK=0"));
  EXPECT_THAT(environment, Not(Contains("RANK=9")));
}

/// Whether a server can listen at the port, of this machine alone or of all addresses.
bool can_listen(int port, in_addr_t address, bool reuse) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = reuse ? 1 : 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<in_port_t>(port));
  place.sin_addr.s_addr = htonl(address);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0 &&
         ::listen(socket.get(), 1) == 0;
}

TEST(ReservedPort, CanBeListenedAtByAServerAndIsTakenForOthers) {
  auto port = ReservedPort::reserve();
  ASSERT_TRUE(port) << port.error().message;
  const int number = port.value().number();

  EXPECT_TRUE(can_listen(number, INADDR_LOOPBACK, true));
  EXPECT_TRUE(can_listen(number, INADDR_ANY, true));
  EXPECT_FALSE(can_listen(number, INADDR_LOOPBACK, false)) << "nobody else got hold of it";
}

/// A port that is only looked for, and let go of, may be given to the next who looks.
TEST(ReservedPort, IsGivenToOneAlone) {
  constexpr std::size_t kGangs = 500;
  std::vector<ReservedPort> held;
  std::set<int> numbers;
  for (std::size_t i = 0; i < kGangs; ++i) {
    auto port = ReservedPort::reserve();
    ASSERT_TRUE(port) << port.error().message;
    numbers.insert(port.value().number());
    held.push_back(std::move(port).value());
  }
  EXPECT_EQ(numbers.size(), kGangs);
}

int with_status(int status) {
  return status << 8;  // as waitpid tells it
}

TEST(Blame, IsOnTheFirstRankThatFailed) {
  Blame blame;
  EXPECT_EQ(blame.rank(), std::nullopt);

  blame.ended(2, with_status(3), 1'000);
  blame.ended(0, with_status(1), 1'001);

  EXPECT_EQ(blame.rank(), 2);
}

TEST(Blame, IsOnAStruckRankThoughAnotherWasSeenToEndBefore) {
  Blame blame;
  blame.ended(0, with_status(1), 1'000);
  EXPECT_FALSE(blame.is_settled(1'000)) << "what made it fail may not have been seen";

  blame.ended(1, SIGKILL, 1'001);

  EXPECT_EQ(blame.rank(), 1);
  EXPECT_TRUE(blame.is_settled(1'001));
}

TEST(Blame, IsOnTheRankThatSaidThatItFailedBeforeOthersEnded) {
  Blame blame;
  blame.said_so(1);
  EXPECT_FALSE(blame.is_settled(99'000)) << "it may still clean up";

  blame.ended(0, with_status(1), 100'000);
  blame.ended(1, with_status(1), 100'100);

  EXPECT_TRUE(blame.is_settled(101'000));
  EXPECT_EQ(blame.rank(), 1);
}

}  // namespace
}  // namespace betatune
