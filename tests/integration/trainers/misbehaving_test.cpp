/// A plug-in may do anything: its trial alone fails, with its class, and the next one starts.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "searchspaces/limits.hpp"
#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::HasSubstr;

Assign misbehaving(const TrainerBench& bench, const std::string& mode) {
  Assign made = bench.assign(0, kPlugins + "misbehave.so");
  made.job.config = {{"mode", mode}};
  return made;
}

void expect_next_runs(TrainerBench& bench) {
  const Done& next = bench.run(bench.assign(1, "branin"));
  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
}

struct PluginCase {
  const char* mode;
  FailureClass failure;
  const char* words;
};

void PrintTo(const PluginCase& each, std::ostream* out) {
  *out << each.mode;
}

class Misbehaving : public ::testing::TestWithParam<PluginCase> {};

TEST_P(Misbehaving, FailsAloneWithItsClass) {
#ifdef __SANITIZE_ADDRESS__
  // AddressSanitizer's operator new ends the process, where another one throws.
  if (std::string(GetParam().mode) == "oom") GTEST_SKIP() << "no std::bad_alloc here";
#endif
  TrainerBench bench;
  bench.start(kTrainer, {"--grace", "0.2"});
  Assign made = misbehaving(bench, GetParam().mode);
  if (std::string(GetParam().mode) == "endless") made.job.silence_ms = 300;
  if (std::string(GetParam().mode) == "deaf") made.job.wall_time_ms = 300;

  const Done done = bench.run(made);

  EXPECT_EQ(done.end, AttemptEnd::failed);
  ASSERT_TRUE(done.failure.has_value());
  EXPECT_STREQ(to_name(*done.failure), to_name(GetParam().failure)) << done.message;
  EXPECT_THAT(done.message, HasSubstr(GetParam().words));
  EXPECT_LE(done.message.size(), limits::kErrorTextBytes);
  expect_next_runs(bench);
}

INSTANTIATE_TEST_SUITE_P(
    All, Misbehaving,
    ::testing::Values(PluginCase{"segfault", FailureClass::user, "SIGSEGV"},
                      PluginCase{"abort", FailureClass::user, "SIGABRT"},
                      PluginCase{"exit0", FailureClass::user, "exit status 0"},
                      PluginCase{"throw", FailureClass::user, "the data set is empty"},
                      PluginCase{"throw_int", FailureClass::user, "not a std::exception"},
                      PluginCase{"overflow", FailureClass::user, "SIGSEGV"},
                      PluginCase{"oom", FailureClass::oom, "out of memory"},
                      PluginCase{"garbage", FailureClass::user, "not JSON"},
                      PluginCase{"nan", FailureClass::diverged, "not finite"},
                      PluginCase{"text", FailureClass::user, "`loss` is \"low\""},
                      PluginCase{"silent", FailureClass::user,
                                 "never reported the objective `loss`"},
                      PluginCase{"other", FailureClass::user, "it reported: accuracy"},
                      PluginCase{"endless", FailureClass::timeout, "limits.silence"},
                      PluginCase{"deaf", FailureClass::timeout, "limits.wall_time"},
                      PluginCase{"diverge", FailureClass::diverged, "gradient"},
                      PluginCase{"close", FailureClass::user, "closed descriptor"},
                      PluginCase{"killed", FailureClass::infra, "SIGKILL"},
                      PluginCase{"kill_server", FailureClass::infra, "was killed"}),
    [](const auto& each) { return std::string(each.param.mode); });

struct LoadCase {
  const char* file;
  FailureClass failure;
  const char* words;
};

void PrintTo(const LoadCase& each, std::ostream* out) {
  *out << each.file;
}

class BadPlugin : public ::testing::TestWithParam<LoadCase> {};

TEST_P(BadPlugin, FailsTheAttemptAndSaysWhy) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = bench.assign(0, kPlugins + GetParam().file + ".so");
  if (std::string(GetParam().file) == "hang_at_load") made.job.wall_time_ms = 300;

  const Done done = bench.run(made);

  EXPECT_EQ(done.end, AttemptEnd::failed);
  ASSERT_TRUE(done.failure.has_value());
  EXPECT_STREQ(to_name(*done.failure), to_name(GetParam().failure)) << done.message;
  EXPECT_THAT(done.message, HasSubstr(GetParam().words));
  expect_next_runs(bench);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPlugin,
    ::testing::Values(LoadCase{"wrong_abi", FailureClass::user, "plug-in ABI 99"},
                      LoadCase{"no_symbol", FailureClass::user, "exports no `betatune_plugin_v1`"},
                      LoadCase{"incomplete", FailureClass::user, "lacks setup, train"},
                      LoadCase{"crash_at_load", FailureClass::user, "SIGABRT"},
                      LoadCase{"hang_at_load", FailureClass::timeout, "limits.wall_time"},
                      LoadCase{"missing", FailureClass::user, "there is no file"}),
    [](const auto& each) { return std::string(each.param.file); });

TEST(MisbehavingPlugin, LeavesNoProcessBehind) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(misbehaving(bench, "daemon"));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_TRUE(bench.ends("sleep"));
}

TEST(MisbehavingPlugin, CannotFillTheDiskWithItsOutput) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(misbehaving(bench, "chatter"));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  const auto log = bench.folder.path() / "trials/0/attempt-1/log";
  EXPECT_LT(std::filesystem::file_size(log), 5u << 20);
  EXPECT_GT(std::filesystem::file_size(log), 4u << 20);
}

TEST(MisbehavingPlugin, ScratchOfACrashedAttemptIsRemovedAndItsLogKept) {
  TrainerBench bench;
  bench.start(kTrainer);

  bench.run(misbehaving(bench, "litter"));

  const auto attempt = bench.folder.path() / "trials/0/attempt-1";
  EXPECT_TRUE(
      bench.optimizer->serve_until([&] { return !std::filesystem::exists(attempt / "scratch"); }));
  std::ifstream log(attempt / "log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "about to litter");
}

TEST(ThreadedPlugin, RunsInFreshProcessesInsteadOfForks) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(bench.assign(0, kPlugins + "threaded.so"));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

}  // namespace
}  // namespace betatune::test
