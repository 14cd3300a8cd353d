#include "optimizer/tck/runner.hpp"

#include <algorithm>
#include <cstdlib>

namespace betatune::tck {
namespace {

namespace fs = std::filesystem;

/// A short path: sockets lie in it.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/btck-XXXXXX";
    BETATUNE_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

template <class Script, class Target>
Outcome run_case(const Case<Script>& each, const Target& target) {
  Outcome out{each.id, each.section, each.title, each.level, Verdict::passed, "", 0, {}};
  const auto begin = Clock::now();
  const Folder folder;
  Script script(target, folder.path());
  if (const Status status = each.run(script); !status) {
    const bool skip = status.error().kind == ErrorKind::unsupported;
    out.verdict = skip ? Verdict::skipped : Verdict::failed;
    out.message = status.error().message;
  }
  out.transcript = script.transcript();
  out.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return out;
}

template <class Script, class Target>
std::vector<Outcome> run_cases(const std::vector<Case<Script>>& cases, const Target& target,
                               const std::string& only, const Told& told) {
  std::vector<Outcome> out;
  for (const Case<Script>& each : cases) {
    if (!only.empty() && std::string(each.id).find(only) == std::string::npos) continue;
    out.push_back(run_case(each, target));
    told(out.back());
  }
  return out;
}

template <class T>
std::vector<T> joined(std::initializer_list<std::vector<T>> parts) {
  std::vector<T> out;
  for (const std::vector<T>& each : parts) out.insert(out.end(), each.begin(), each.end());
  return out;
}

}  // namespace

std::vector<TrainerCase> all_trainer_cases() {
  return joined({trainer_session_cases(), trainer_attempt_cases(), trainer_delivery_cases(),
                 trainer_end_cases(), trainer_checkpoint_cases(), trainer_file_cases(),
                 trainer_fetch_cases()});
}

std::vector<OptimizerCase> all_optimizer_cases() {
  return joined({optimizer_session_cases(), optimizer_message_cases(), optimizer_attempt_cases(),
                 optimizer_recovery_cases(), optimizer_checkpoint_cases(), optimizer_file_cases(),
                 optimizer_conversation_cases()});
}

std::vector<Outcome> run_trainer_cases(const TrainerTarget& target, const std::string& only,
                                       const Told& told) {
  return run_cases(all_trainer_cases(), target, only, told);
}

std::vector<Outcome> run_optimizer_cases(const OptimizerTarget& target, const std::string& only,
                                         const Told& told) {
  return run_cases(all_optimizer_cases(), target, only, told);
}

bool has_failed(const std::vector<Outcome>& outcomes) {
  return std::ranges::any_of(outcomes, [](const Outcome& each) {
    return each.level == Level::must && each.verdict == Verdict::failed;
  });
}

}  // namespace betatune::tck
