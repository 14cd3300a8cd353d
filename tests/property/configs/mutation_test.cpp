// Whatever bytes a study file holds, reading it ends, and with a diagnostic wherever it is not a
// study. The mutations are drawn from a seed: a failure names it and the text.

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>

#include "configs/study_spec.hpp"
#include "searchspaces/random.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/mutated_text.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> seeds() {
  std::vector<std::string> texts;
  for (const char* folder : {"configs", "tests/golden/configs/bad"}) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(fs::path(BETATUNE_SOURCE_DIR) / folder)) {
      if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) texts.push_back(support::file_text(path));
  }
  return texts;
}

const std::vector<std::string> kSnippets = {"{",
                                            "}",
                                            "[",
                                            "]",
                                            ": ",
                                            "- ",
                                            "? ",
                                            "&a ",
                                            "*a",
                                            "!!map ",
                                            "\n",
                                            "\t",
                                            "\"",
                                            "'",
                                            "|",
                                            ">",
                                            "#",
                                            "---\n",
                                            "...\n",
                                            "%YAML 1.2\n",
                                            "~",
                                            "010",
                                            "1e999",
                                            "-",
                                            "0",
                                            "",
                                            "\r\n",
                                            "\xff",
                                            "<<: ",
                                            "when: {x: y}",
                                            "type: int",
                                            "derived: \"1 / 0\"",
                                            "max: -9223372036854775808",
                                            ", , ,",
                                            "\\x00"};

TEST(MutatedStudyFiles, NeverCrashTheReader) {
  const std::vector<std::string> texts = seeds();
  ASSERT_GT(texts.size(), 20u);
  int accepted = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    Stream stream(fold_in(root_key(seed), "mutate"));
    std::string text = texts[stream.below(texts.size())];
    const std::uint64_t edits = 1 + stream.below(4);
    for (std::uint64_t i = 0; i < edits; ++i) {
      const std::string& other = texts[stream.below(texts.size())];
      text = support::mutated(std::move(text), other, kSnippets, stream);
    }
    SCOPED_TRACE("seed " + std::to_string(seed) + ":\n" + text);

    Diagnostics diagnostics;
    const ConfigNode node = ConfigNode::parse(text, "mutated.yaml", diagnostics);
    const StudySpec spec = read_study(node, BETATUNE_SOURCE_DIR "/configs", diagnostics);
    const std::string shown = diagnostics.render(false);

    EXPECT_EQ(diagnostics.ok(), shown.empty());
    for (const Diagnostic& problem : diagnostics.problems()) {
      EXPECT_TRUE(problem.code.size() == 5 && problem.code[0] == 'E') << problem.code;
      EXPECT_FALSE(problem.message.empty());
    }
    if (!diagnostics.ok()) continue;
    // What is accepted is usable: the space can be drawn from, and the document read again.
    ++accepted;
    EXPECT_TRUE(spec.space.check(spec.space.sample(root_key(seed))));
    Diagnostics later;
    const ConfigNode logged = ConfigNode::from_json(spec.document, "log");
    EXPECT_EQ(read_study(logged, BETATUNE_SOURCE_DIR "/configs", later).document, spec.document);
    EXPECT_TRUE(later.ok()) << later.render(false);
  }
  // Some edits are harmless (a comment, a number): both outcomes were seen.
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 600);
}

TEST(ReadyStudies, AreAccepted) {
  for (const auto& entry : fs::directory_iterator(BETATUNE_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".yaml") continue;
    Diagnostics diagnostics;
    const StudySpec spec = load_study(entry.path(), diagnostics);
    EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
    EXPECT_EQ(spec.study.name, entry.path().stem().string());
  }
}

}  // namespace
}  // namespace betatune
