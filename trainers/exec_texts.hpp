#pragma once
/// Texts as execve wants them.

#include <string>
#include <vector>

namespace betatune {

/// Pointers into `texts`, then a null pointer. Valid as long as `texts` is, and unchanged.
inline std::vector<char*> exec_texts(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& each : texts) out.push_back(const_cast<char*>(each.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace betatune
