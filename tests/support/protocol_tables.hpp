#pragma once
/// The state tables of docs/protocol.md, to be held against the code: every row has a scenario that
/// brings the code into the row's state, lets its event happen, and tells what was said and where
/// that led.

#include <functional>
#include <gmock/gmock.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/file_text.hpp"
#include "transport/message.hpp"

namespace betatune::support {

struct StateRow {
  std::string state, event, does, next;
  std::string text() const { return state + " | " + event; }
};

/// Of the table behind this line of the page.
inline std::vector<StateRow> state_table(const std::string& title) {
  const std::string page =
      file_text(std::filesystem::path(BETATUNE_SOURCE_DIR) / "docs/protocol.md");
  const std::size_t at = page.find("\n" + title);
  EXPECT_NE(at, std::string::npos) << title;
  if (at == std::string::npos) return {};
  std::istringstream lines(page.substr(page.find("\n| ---", at) + 1));
  std::string line;
  std::getline(lines, line);
  std::vector<StateRow> rows;
  const std::regex form(R"(^\| (.*) \| (.*) \| (.*) \| (.*) \|$)");
  for (std::smatch cells; std::getline(lines, line) && std::regex_match(line, cells, form);) {
    rows.push_back({cells[1], cells[2], cells[3], cells[4]});
  }
  return rows;
}

/// What one way through a row has led to.
struct SeenStep {
  std::set<std::string> said;  ///< verbs, and the codes of ERRORs
  std::string before, next;    ///< states, in the words of the table
};
using Scenario = std::function<std::vector<SeenStep>()>;

inline std::set<std::string> words_of(const std::vector<Message>& messages) {
  std::set<std::string> words;
  for (const Message& message : messages) {
    words.insert(std::visit([](const auto& each) { return std::string(each.kType); }, message));
    if (const auto* refusal = std::get_if<Refusal>(&message)) words.insert(refusal->code);
  }
  return words;
}

/// Those of `known` that the text has.
inline std::set<std::string> words_in(const std::string& text, const std::set<std::string>& known) {
  std::set<std::string> words;
  const std::regex word("[A-Za-z_]+");
  for (std::sregex_iterator at(text.begin(), text.end(), word), end; at != end; ++at) {
    if (known.contains(at->str())) words.insert(at->str());
  }
  return words;
}

/// "paused, waiting or closed": three states.
inline std::set<std::string> states_in(const std::string& cell) {
  std::set<std::string> states;
  const std::regex between(", | or ");
  for (std::sregex_token_iterator at(cell.begin(), cell.end(), between, -1), end; at != end; ++at) {
    states.insert(*at);
  }
  return states;
}

/// Every row has its scenario, and every scenario its row; all ways through a row together say what
/// it says (of the words in `known`), and lead to all states that it names.
inline void expect_table(const std::string& title, const std::set<std::string>& known,
                         const std::map<std::string, Scenario>& scenarios) {
  std::set<std::string> described;
  for (const StateRow& row : state_table(title)) {
    SCOPED_TRACE(row.text());
    described.insert(row.text());
    const auto scenario = scenarios.find(row.text());
    ASSERT_NE(scenario, scenarios.end()) << "nothing tries this row";
    std::set<std::string> said, before, next;
    for (const SeenStep& step : scenario->second()) {
      for (const std::string& word : step.said) {
        if (known.contains(word)) said.insert(word);
      }
      before.insert(step.before);
      next.insert(row.next == "the same" && step.next == step.before ? row.next : step.next);
    }
    EXPECT_EQ(said, words_in(row.does, known));
    EXPECT_EQ(next, states_in(row.next));
    const bool any = row.state == "any" || row.state.starts_with("not ");
    if (!any) {
      EXPECT_EQ(before, states_in(row.state));
    }
  }
  for (const auto& [text, scenario] : scenarios) {
    EXPECT_TRUE(described.contains(text)) << text << ": not in the document";
  }
}

}  // namespace betatune::support
