#pragma once
/// A log in memory, whose decisions are made again.

#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "optimizer/verify_decisions.hpp"

namespace betatune::test {

inline DecisionVerification verified(const std::vector<Event>& log, const StudySpec& spec) {
  const auto store = make_memory_store();
  EXPECT_TRUE(store->begin_epoch());
  EXPECT_TRUE(store->append(0, log));
  const auto result = verify_decisions(*store, log.size(), [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec));
  });
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? result.value() : DecisionVerification{};
}

}  // namespace betatune::test
