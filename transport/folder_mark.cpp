#include "transport/folder_mark.hpp"

#include <fstream>
#include <string>
#include <system_error>

#include "transport/random_hex.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "folder-mark";

}  // namespace

Result<std::string> renew_folder_mark(const fs::path& study_dir) {
  std::string mark = random_hex();
  const fs::path file = study_dir / kName;
  const fs::path beside = study_dir / (std::string(kName) + ".tmp");
  std::ofstream out(beside, std::ios::trunc);
  out << mark << '\n';
  out.close();
  if (!out) return Error{ErrorKind::unavailable, "cannot write " + beside.string()};
  std::error_code failed;
  fs::rename(beside, file, failed);
  if (failed) return Error{ErrorKind::unavailable, file.string() + ": " + failed.message()};
  return mark;
}

bool has_folder_mark(const fs::path& study_dir, const std::string& mark) {
  std::ifstream in(study_dir / kName);
  std::string found;
  return std::getline(in, found) && found == mark;
}

}  // namespace betatune
