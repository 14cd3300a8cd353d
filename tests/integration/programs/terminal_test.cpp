/// What is on a terminal, what is not, and the variables that say otherwise: NO_COLOR,
/// CLICOLOR_FORCE, TERM and COLUMNS.

#include <algorithm>
#include <gmock/gmock.h>
#include <regex>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using support::Terminal;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kEscape = "\033[";
constexpr const char* kBack = "\r\033[K";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++found;
  }
  return found;
}

/// Columns of the widest line, without what only moves the cursor or colours.
std::size_t widest_line(const std::string& written) {
  const std::string text = std::regex_replace(written, std::regex("\033\\[[0-9;]*[A-Za-z]"), "");
  std::size_t widest = 0;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '\n' && text[i] != '\r') continue;
    widest = std::max(widest, i - from);
    from = i + 1;
  }
  return widest;
}

/// The first block that shows a trial done, up to where the cursor goes back over it.
std::string block_of(const std::string& written) {
  const std::size_t begin = written.rfind('\n', written.find('#')) + 1;
  return written.substr(begin, written.find(kBack, begin) - begin);
}

class OnATerminal : public support::UserStudy {
 protected:
  /// Two trials, of which the second waits for go().
  OnATerminal() {
    write(2,
          "[ $BETATUNE_TRIAL = 0 ] || until [ -e go ]; do sleep 0.02; done\n"
          "echo '{\"loss\": 1}'\n");
  }

  void SetUp() override {
    if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  /// All that a run writes to a terminal.
  std::string run(const std::string& variables = {}, unsigned short columns = 80) {
    Terminal terminal(folder_.path(), variables + " betatune run study.yaml", columns);
    EXPECT_TRUE(terminal.shows("#")) << terminal.written();
    go();
    EXPECT_EQ(terminal.wait(), 0) << terminal.written();
    return terminal.written();
  }
  /// Of a command that finds the study file wrong.
  std::string problem(const std::string& command) {
    std::ofstream(folder_ / "broken.yaml") << "study: [1, 2\n";
    Terminal terminal(folder_.path(), command);
    EXPECT_EQ(terminal.wait(), 3) << terminal.written();
    EXPECT_THAT(terminal.written(), HasSubstr("broken.yaml:"));
    return terminal.written();
  }
};

TEST_F(OnATerminal, ProgressIsABlockThatIsDrawnAgainInColour) {
  const std::string written = run();

  EXPECT_THAT(written, HasSubstr(kBack));
  EXPECT_THAT(written, HasSubstr("\033[32m"));
  EXPECT_THAT(written, HasSubstr("best: trial 0"));
}

TEST_F(OnATerminal, NoColorTakesTheColoursAwayAndLeavesTheBlock) {
  const std::string written = run("NO_COLOR=1");

  EXPECT_THAT(written, HasSubstr(kBack));
  EXPECT_THAT(written, Not(HasSubstr("\033[32m")));
}

TEST_F(OnATerminal, ADumbOneGetsLinesWithoutAnyEscape) {
  Terminal terminal(folder_.path(), "TERM=dumb betatune run study.yaml");
  go();

  EXPECT_EQ(terminal.wait(), 0) << terminal.written();
  EXPECT_THAT(terminal.written(), Not(HasSubstr("\033")));
  EXPECT_THAT(terminal.written(), HasSubstr("trial 0 completed"));
}

TEST_F(OnATerminal, TheBlockIsNotWiderThanTheWindow) {
  const std::string written = run({}, 40);

  EXPECT_LE(widest_line(block_of(written)), 40u) << written;
}

TEST_F(OnATerminal, ColumnsWinsOverTheWindow) {
  const std::string written = run("COLUMNS=30", 120);

  EXPECT_LE(widest_line(block_of(written)), 30u) << written;
}

TEST_F(OnATerminal, EveryColourIsTakenBackHoweverNarrowTheWindow) {
  const std::string written = run("COLUMNS=12");

  EXPECT_GT(count(written, "\033[32m"), 0u);
  EXPECT_EQ(count(written, "\033[32m"), count(written, "\033[0m")) << written;
}

TEST_F(OnATerminal, ProblemsAreInColour) {
  for (const char* command : {"check", "run", "status", "best", "trials"}) {
    EXPECT_THAT(problem(std::string("betatune ") + command + " broken.yaml"), HasSubstr(kEscape))
        << command;
  }
}

TEST_F(OnATerminal, ProblemsAreWithoutColourWhereNoColorSaysSo) {
  for (const char* command : {"check", "run", "status", "best", "trials"}) {
    EXPECT_THAT(problem(std::string("NO_COLOR=1 betatune ") + command + " broken.yaml"),
                Not(HasSubstr(kEscape)))
        << command;
  }
}

using NotOnATerminal = support::UserStudy;

TEST_F(NotOnATerminal, ProgressIsLinesWithoutAnyEscape) {
  write(2, support::kReports);

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out + ended.err, Not(HasSubstr("\033")));
  EXPECT_THAT(ended.err, HasSubstr("trial 1 completed: loss = "));
  EXPECT_THAT(ended.err, HasSubstr("study closed: trials\n"));
}

TEST_F(NotOnATerminal, QuietShowsTheResultOnly) {
  write(2, support::kReports);

  const Ended ended = type("betatune run study.yaml --quiet");

  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_THAT(ended.out, HasSubstr("best: trial "));
}

TEST_F(NotOnATerminal, ProblemsAreInColourOnlyWhereClicolorForceSaysSo) {
  write_yaml("stoping: {trials: 1}\n");

  EXPECT_THAT(type("betatune check study.yaml").err, Not(HasSubstr(kEscape)));
  EXPECT_THAT(type("CLICOLOR_FORCE=0 betatune check study.yaml").err, Not(HasSubstr(kEscape)));
  EXPECT_THAT(type("CLICOLOR_FORCE=1 betatune check study.yaml").err, HasSubstr(kEscape));
  EXPECT_THAT(type("CLICOLOR_FORCE=1 NO_COLOR=1 betatune check study.yaml").err,
              Not(HasSubstr(kEscape)));
}

TEST_F(NotOnATerminal, DataIsTheSameAsOnOne) {
  if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  write(2, support::kReports);
  ASSERT_EQ(type("betatune run study.yaml").status, 0);

  for (const char* command : {"betatune trials demo", "betatune best demo", "betatune show demo 0",
                              "betatune export csv demo"}) {
    Terminal terminal(folder_.path(), command);
    EXPECT_EQ(terminal.wait(), 0);
    // A terminal writes each line's end as two bytes.
    EXPECT_EQ(std::regex_replace(terminal.written(), std::regex("\r\n"), "\n"), type(command).out);
  }
}

}  // namespace
}  // namespace betatune
