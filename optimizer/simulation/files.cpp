#include "optimizer/simulation/files.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "searchspaces/result.hpp"
#include "transport/digest.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune::simulation {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 3'000;

void write_file(const fs::path& path, const std::string& bytes) {
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string file_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

StudyFiles::StudyFiles(Key key) : random_(key) {
  std::string name = (fs::temp_directory_path() / "betatune-simulation-XXXXXX").string();
  BETATUNE_ASSERT(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
}

StudyFiles::~StudyFiles() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

const Contents& StudyFiles::make(ArtifactRef& artifact) {
  Contents& files = made_[artifact.uri];
  if (files.empty()) {
    std::string list;
    const std::uint64_t count = random_.below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string bytes(random_.below(kMostBytes), ' ');
      for (char& each : bytes) each = static_cast<char>(random_.below(256));
      const std::string path = (i == 0 ? "" : "inner/") + std::to_string(i);
      list += digest_of(bytes) + "  " + path + "\n";
      files[path] = std::move(bytes);
    }
    files[kSumsName] = std::move(list);
  }
  artifact.digest = digest_of(files.at(kSumsName));
  artifact.bytes = 0;
  for (const auto& [path, bytes] : files) artifact.bytes += bytes.size();
  return files;
}

void StudyFiles::write(const std::string& uri) const {
  for (const auto& [path, bytes] : made_.at(uri)) write_file(folder_ / uri / path, bytes);
}

std::optional<Contents> StudyFiles::read(const std::string& uri) const {
  std::error_code failed;
  Contents found;
  for (fs::recursive_directory_iterator at(folder_ / uri, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (!at->is_regular_file()) continue;
    found[at->path().lexically_relative(folder_ / uri).string()] = file_text(at->path());
  }
  if (failed) return std::nullopt;
  return found;
}

void StudyFiles::damage(const std::string& uri, Stream& random) {
  auto found = read(uri);
  if (!found) return;
  std::erase_if(*found, [](const auto& each) { return each.second.empty(); });
  if (found->empty()) return;
  auto file = std::next(found->begin(), static_cast<std::ptrdiff_t>(random.below(found->size())));
  char& byte = file->second[random.below(file->second.size())];
  byte = static_cast<char>(byte ^ 1);
  write_file(folder_ / uri / file->first, file->second);
  damaged_.insert(uri);
}

bool StudyFiles::is_made(const std::string& uri, const Contents& found) const {
  const auto made = made_.find(uri);
  return made != made_.end() && made->second == found;
}

std::optional<std::string> StudyFiles::difference(const std::string& uri) const {
  const auto found = read(uri);
  if (!found) return uri + " is not there";
  if (!is_made(uri, *found)) return uri + " is not what its trainer made";
  return std::nullopt;
}

bool StudyFiles::has_incoming() const {
  std::error_code failed;
  return fs::exists(folder_ / "incoming", failed) && !fs::is_empty(folder_ / "incoming", failed);
}

std::vector<std::pair<std::string, std::string>> in_order(const Contents& contents) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& each : contents) {
    if (each.first != kSumsName) files.emplace_back(each);
  }
  files.emplace_back(kSumsName, contents.at(kSumsName));
  return files;
}

bool is_whole(const Contents& contents, const std::string& digest) {
  const auto list = contents.find(kSumsName);
  if (list == contents.end() || digest_of(list->second) != digest) return false;
  std::istringstream lines(list->second);
  for (std::string line; std::getline(lines, line);) {
    const auto file = contents.find(line.substr(kDigestCharacters + 2));
    if (file == contents.end()) return false;
    if (digest_of(file->second) != line.substr(0, kDigestCharacters)) return false;
  }
  return true;
}

}  // namespace betatune::simulation
