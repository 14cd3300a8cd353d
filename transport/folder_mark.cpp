#include "transport/folder_mark.hpp"

#include <fmt/format.h>
#include <fstream>
#include <random>
#include <string>
#include <system_error>

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "folder-mark";
constexpr int kWords = 4;

std::string random_mark() {
  std::random_device device;
  std::string mark;
  for (int i = 0; i < kWords; ++i) mark += fmt::format("{:08x}", device());
  return mark;
}

}  // namespace

Result<std::string> renew_folder_mark(const fs::path& study_dir) {
  std::string mark = random_mark();
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
