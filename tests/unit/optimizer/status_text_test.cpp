#include "optimizer/cli/status_text.hpp"

#include <gtest/gtest.h>

namespace betatune {
namespace {

TEST(TrainersText, TellsOfRefusedMessagesWhereThereWereAny) {
  SeenRoster roster;
  EXPECT_EQ(trainers_text(roster, 3), "none connected\n");

  roster.refused.by_code = {{"malformed", 9}, {"not_welcome", 3}};
  roster.refused.unread = 1000;

  EXPECT_EQ(trainers_text(roster, 3),
            "none connected\n"
            "messages refused: 9 malformed, 3 not_welcome, 1000 dropped unread\n");
  roster.refused = {};
  roster.refused.turned_away = 2;
  roster.refused.unsent = 5;
  roster.refused.parts = 7;
  EXPECT_EQ(trainers_text(roster, 3),
            "none connected\n"
            "messages refused: 7 parts of files dropped, 5 not sent to trainers that do not read, "
            "2 connections with a key that is not allowed\n");
}

TEST(RosterFile, OfAnOlderOptimizerHasNoRefusedMessages) {
  const auto roster = decode_json<SeenRoster>(
      Json{{"endpoint", "ipc://x"}, {"lease_s", 30}, {"trainers", Json::array()}}, "file");

  ASSERT_TRUE(roster) << roster.error().message;
  EXPECT_TRUE(roster.value().refused.by_code.empty());
  EXPECT_EQ(roster.value().refused.turned_away, 0u);
}

}  // namespace
}  // namespace betatune
