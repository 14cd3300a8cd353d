// docs/study-file.md against the program: its tables come from the field lists.
// BETATUNE_UPDATE_GOLDEN=1 writes them anew.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>

#include "configs/json_schema.hpp"
#include "configs/planned.hpp"
#include "configs/study_spec.hpp"
#include "tests/support/docs_page.hpp"
#include "tests/support/json_schema_tools.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::file_text;
using support::key_table;
using support::with_blocks;

const fs::path kPage = fs::path(BETATUNE_SOURCE_DIR) / "docs/study-file.md";

std::string planned_table() {
  std::string text = "| key | what it will be | now |\n| --- | --- | --- |\n";
  for (const PlannedKey& key : planned_keys()) {
    text += "| `" + std::string(key.path) + "` | " + std::string(key.what) + " | " +
            std::string(key.help) + " |\n";
  }
  return text;
}

// Every table of the page, made anew.
std::map<std::string, std::string> tables() {
  std::map<std::string, std::string> blocks = {{"planned", planned_table()}};
  for (const support::DescribedObject& object : support::described_objects(study_schema())) {
    const std::string path = object.path.empty() ? "" : " " + object.path;
    blocks["keys:" + path] = key_table(object.schema);
  }
  return blocks;
}

TEST(StudyFilePage, HasEveryKeyAsTheProgramReadsIt) {
  const std::string page = file_text(kPage);

  const std::string wanted = with_blocks(page, tables());

  if (std::getenv("BETATUNE_UPDATE_GOLDEN") != nullptr) std::ofstream(kPage) << wanted;
  EXPECT_EQ(page, wanted) << "BETATUNE_UPDATE_GOLDEN=1 tests/golden_configs writes the tables";
}

std::set<std::string> codes_in(const std::string& text, const std::regex& pattern) {
  std::set<std::string> codes;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    codes.insert((*it)[1]);
  }
  return codes;
}

TEST(StudyFilePage, ExplainsEveryErrorCode) {
  std::string sources;
  for (const auto& entry : fs::directory_iterator(fs::path(BETATUNE_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() == ".cpp") sources += file_text(entry.path());
  }

  EXPECT_EQ(codes_in(sources, std::regex("\"(E[0-9]{4})\"")),
            codes_in(file_text(kPage), std::regex("\\| `(E[0-9]{4})` \\|")));
}

TEST(StudyFilePage, ShowsAStudyThatIsAccepted) {
  const std::string page = file_text(kPage);
  const std::size_t begin = page.find("```yaml\n") + 8;
  Diagnostics diagnostics;
  const ConfigNode node = ConfigNode::parse(page.substr(begin, page.find("```\n", begin) - begin),
                                            "docs/study-file.md", diagnostics);

  read_study(node, ".", diagnostics);

  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
}

}  // namespace
}  // namespace betatune
