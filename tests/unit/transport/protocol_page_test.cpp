/// docs/protocol.md has exactly the fields of the code, with their words.

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include "transport/message.hpp"

namespace betatune {
namespace {

std::string page() {
  std::ifstream file(std::string(BETATUNE_SOURCE_DIR) + "/docs/protocol.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The rows of the table under "### title".
std::string table_on_page(const std::string& title) {
  const std::string text = page();
  const std::string rule = "| --- | --- |\n";
  const std::size_t heading = text.find("### " + title + "\n");
  const std::size_t begin = heading == std::string::npos ? heading : text.find(rule, heading);
  if (begin == std::string::npos) return "no table";
  const std::size_t end = text.find("\n\n", begin);
  return text.substr(begin + rule.size(), end + 1 - begin - rule.size());
}

template <class T>
std::string table_of_code() {
  std::string rows;
  const auto add = [&](const auto& field) {
    using M = typename std::decay_t<decltype(field)>::member_type;
    const bool optional = !field.required || schema_detail::IsOptional<M>::value;
    rows += std::string("| `") + field.name + (optional ? "` ? | " : "` | ") + field.doc + " |\n";
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, T::fields());
  return rows;
}

template <std::size_t... I>
void check_verbs(std::index_sequence<I...>) {
  const auto check = [](const char* title, const std::string& rows) {
    EXPECT_EQ(table_on_page(title), rows) << title;
  };
  (check(std::variant_alternative_t<I, Message>::kType,
         table_of_code<std::variant_alternative_t<I, Message>>()),
   ...);
}

TEST(ProtocolPage, HasTheFieldsOfEveryVerb) {
  check_verbs(std::make_index_sequence<std::variant_size_v<Message>>{});
}

TEST(ProtocolPage, HasTheFieldsOfTheObjectsInside) {
  EXPECT_EQ(table_on_page("Held"), table_of_code<Held>());
  EXPECT_EQ(table_on_page("TrainerJob"), table_of_code<TrainerJob>());
  EXPECT_EQ(table_on_page("ArtifactRef"), table_of_code<ArtifactRef>());
}

}  // namespace
}  // namespace betatune
