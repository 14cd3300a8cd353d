// docs/search.md against the program: its tables of options come from the registries.
// BETATUNE_UPDATE_GOLDEN=1 writes them anew.

#include <cstdlib>
#include <gtest/gtest.h>

#include "optimizer/scheduler.hpp"
#include "tests/support/docs_page.hpp"

namespace betatune {
namespace {

const std::filesystem::path kSearchPage =
    std::filesystem::path(BETATUNE_SOURCE_DIR) / "docs/search.md";

template <class Registry>
std::string option_tables() {
  std::string text;
  for (const auto& [name, summary] : Registry::list()) {
    const Json options = Registry::find(name)->options_schema();
    if (options["properties"].empty()) continue;
    text += (text.empty() ? "" : "\n") + ("Options of **" + name + "**:\n\n") +
            support::key_table(options);
  }
  return text;
}

TEST(SearchPage, HasEveryOptionAsTheProgramReadsIt) {
  const std::string page = support::file_text(kSearchPage);

  const std::string wanted =
      support::with_blocks(page, {{"searcher options", option_tables<SearcherRegistry>()},
                                  {"scheduler options", option_tables<SchedulerRegistry>()}});

  if (std::getenv("BETATUNE_UPDATE_GOLDEN") != nullptr) std::ofstream(kSearchPage) << wanted;
  EXPECT_EQ(page, wanted) << "BETATUNE_UPDATE_GOLDEN=1 tests/golden_optimizer writes the tables";
}

}  // namespace
}  // namespace betatune
