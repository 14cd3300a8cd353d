#include "optimizer/tck/transcript.hpp"

#include <fmt/format.h>
#include <fstream>
#include <map>
#include <regex>
#include <utility>

#include "searchspaces/value.hpp"
#include "transport/message.hpp"

namespace betatune::tck {
namespace {

namespace fs = std::filesystem;

/// In the place of a job's folders.
constexpr std::pair<const char*, const char*> kFolders[] = {{"directory", "/home/me"},
                                                            {"study_dir", "/home/me/runs/demo"}};

class Normalizer {
 public:
  std::string line(const std::string& text) {
    static const std::regex shape(R"(([TO]> ([A-Z]+) )(\{.*\})((?: \(\d+ bytes\))?))");
    std::smatch match;
    if (!std::regex_match(text, match, shape)) return text;
    Json body = Json::parse(match[3].str(), nullptr, false);
    if (!body.is_object()) return text;
    if (match[2] == "HELLO") hello(body);
    if (match[2] == "ASSIGN" && body.contains("job")) job(body["job"]);
    each_text(body);
    return match[1].str() + body.dump() + match[4].str();
  }

 private:
  /// The n-th value of its kind that the conversation has shown is n.
  std::size_t number_of(const char* kind, const Json& value) {
    auto& seen = seen_[kind];
    return seen.try_emplace(value.dump(), seen.size() + 1).first->second;
  }
  void replace(Json& body, const char* key, const std::string& text) {
    if (body.contains(key) && !body[key].empty() && body[key] != "") body[key] = text;
  }

  void hello(Json& body) {
    if (body.contains("session")) {
      replace(body, "session", fmt::format("{:032x}", number_of("session", body["session"])));
    }
    if (body.contains("trainer")) {
      replace(body, "trainer", fmt::format("trainer-{}", number_of("trainer", body["trainer"])));
    }
    replace(body, "token", "TOKEN");
  }

  void job(Json& job) {
    const Json usual = encode_json(TrainerJob{});
    for (const auto& [key, value] : usual.items()) {
      if (job.contains(key) && job[key] == value) job.erase(key);
    }
    if (job.contains("folder_mark")) {
      replace(job, "folder_mark",
              fmt::format("{:032x}", number_of("folder_mark", job["folder_mark"])));
    }
    for (const auto& [key, name] : kFolders) {
      if (job.contains(key) && job[key].is_string()) folders_[job[key].get<std::string>()] = name;
    }
  }

  /// Folders of this run, wherever they are told.
  void each_text(Json& value) {
    if (value.is_structured()) {
      for (Json& each : value) each_text(each);
    } else if (value.is_string()) {
      auto text = value.get<std::string>();
      // The longest first: one may lie in the other.
      for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
        const auto& [here, name] = *folder;
        for (std::size_t at = 0; (at = text.find(here, at)) != std::string::npos;) {
          text.replace(at, here.size(), name);
          at += name.size();
        }
      }
      value = text;
    }
  }

  std::map<std::string, std::map<std::string, std::size_t>> seen_;
  std::map<std::string, std::string> folders_;  ///< of this run -> what stands for it
};

}  // namespace

std::string plain_transcript(const std::vector<std::string>& lines) {
  Normalizer normalizer;
  std::string text;
  for (const std::string& each : lines) text += normalizer.line(each) + "\n";
  return text;
}

Status write_transcripts(const fs::path& folder, const std::vector<Outcome>& outcomes) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error{ErrorKind::unavailable, folder.string() + ": " + failed.message()};
  for (const Outcome& each : outcomes) {
    if (each.verdict == Verdict::skipped) continue;
    const fs::path path = folder / (each.id + ".txt");
    std::ofstream file(path);
    file << fmt::format("# {}, {}, {}: {}\n", each.id, to_name(each.level), each.section,
                        each.title)
         << plain_transcript(each.transcript);
    file.close();
    if (!file) return Error{ErrorKind::unavailable, path.string() + ": cannot be written"};
  }
  return Ok{};
}

}  // namespace betatune::tck
