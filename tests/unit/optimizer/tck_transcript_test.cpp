/// Conversations as files: what differs from run to run, and what does not.

#include <gtest/gtest.h>

#include "optimizer/tck/transcript.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "transport/codec.hpp"

namespace betatune::tck {
namespace {

std::string line(char side, const Message& message) {
  const Frames frames = encode_message(message);
  return std::string(1, side) + "> " + frames.at(1) + " " + frames.at(2);
}

/// As one run would have it.
std::vector<std::string> conversation(char run, Step until = 5) {
  Hello hello;
  hello.trainer = std::string("trainer-on-node-") + run;
  hello.session = std::string(32, run);
  hello.token = std::string("secret") + run;
  Assign assign;
  assign.job.study_dir = std::string("/tmp/kit-") + run + "/study";
  assign.job.directory = std::string("/tmp/kit-") + run;
  assign.job.folder_mark = std::string(32, run);
  assign.until = until;
  const Refusal refusal{"malformed", false, assign.job.study_dir + "/x is not there", {}, {}};
  return {line('T', hello), line('O', assign), line('O', refusal),
          "T> PUT {\"offset\":0} (7 bytes)", "T> REPORT {broken"};
}

TEST(Transcript, IsTheSameOfTwoRuns) {
  const std::string first = plain_transcript(conversation('a'));

  EXPECT_EQ(first, plain_transcript(conversation('b')));
  EXPECT_EQ(first.find("secret"), std::string::npos);
  EXPECT_EQ(first.find("/tmp/"), std::string::npos) << first;
}

TEST(Transcript, DiffersWhereAnythingElseDoes) {
  EXPECT_NE(plain_transcript(conversation('a')), plain_transcript(conversation('a', 6)));
}

TEST(Transcript, KeepsSessionsApartAndWhatIsNoMessage) {
  Hello first, second;
  first.session = std::string(32, 'a');
  second.session = std::string(32, 'b');
  const std::string text = plain_transcript(
      {line('T', first), line('T', second), line('T', first), "T> REPORT {broken"});

  EXPECT_NE(text.find("00000000000000000000000000000001"), std::string::npos);
  EXPECT_NE(text.find("00000000000000000000000000000002"), std::string::npos);
  EXPECT_NE(text.find("\nT> REPORT {broken\n"), std::string::npos);
}

TEST(Transcript, OfEachCaseThatHasRunIsAFile) {
  support::TemporaryDirectory folder;
  Outcome ran{"T-X-1", "Session", "It greets.", Level::must, Verdict::failed,
              "no",    0,         {"T> HI {}"}};
  Outcome skip = ran;
  skip.id = "T-X-2";
  skip.verdict = Verdict::skipped;

  const Status written = write_transcripts(folder / "new", {ran, skip});

  ASSERT_TRUE(written);
  EXPECT_EQ(support::file_text(folder / "new" / "T-X-1.txt"),
            "# T-X-1, MUST, Session: It greets.\nT> HI {}\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "new" / "T-X-2.txt"));
}

}  // namespace
}  // namespace betatune::tck
