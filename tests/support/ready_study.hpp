#pragma once
/// Ready studies, made small for a test.

#include <gtest/gtest.h>
#include <regex>
#include <string>

namespace betatune::support {

/// Every match of a regular expression by another text. It fails the test if there is none.
inline std::string replaced(const std::string& text, const char* what, const std::string& by) {
  EXPECT_TRUE(std::regex_search(text, std::regex(what))) << what;
  return std::regex_replace(text, std::regex(what), by);
}

}  // namespace betatune::support
