#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace betatune::support {

/// All that a file holds; "" if there is none.
inline std::string file_text(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace betatune::support
