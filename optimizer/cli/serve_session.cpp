#include "optimizer/cli/serve_session.hpp"

#include <array>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "optimizer/checkpoints.hpp"
#include "optimizer/monotonic_clock.hpp"
#include "optimizer/progress.hpp"
#include "optimizer/roster_file.hpp"
#include "optimizer/server.hpp"
#include "searchspaces/log.hpp"
#include "searchspaces/random.hpp"
#include "transport/codec.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// What the trainers said before they died, for a study that none ever joined.
void show_trainer_logs(const fs::path& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    fmt::print(stderr, "error: no trainer could start; its log is {}:\n", entry.path().string());
    if (FILE* file = std::fopen(entry.path().c_str(), "r"); file != nullptr) {
      std::fseek(file, 0, SEEK_END);
      std::fseek(file, std::max(0L, std::ftell(file) - 2000), SEEK_SET);
      std::string tail(2000, '\0');
      tail.resize(std::fread(tail.data(), 1, tail.size(), file));
      std::fclose(file);
      fmt::print(stderr, "{}\n", tail);
    }
    return;
  }
}

/// What trainers on other machines connect to where the socket listens on every address.
std::string reachable(const std::string& endpoint) {
  constexpr std::string_view kEvery = "tcp://0.0.0.0:";
  std::array<char, 256> host{};
  if (!endpoint.starts_with(kEvery) || gethostname(host.data(), host.size() - 1) != 0) {
    return endpoint;
  }
  return fmt::format("tcp://{}:{}", host.data(), endpoint.substr(kEvery.size()));
}

/// Shows what happens, and removes the checkpoints that it has made superfluous.
class Housekeeping final : public ServerObserver {
 public:
  /// `external`: trainers connect by themselves, and must be told where; with which token.
  Housekeeping(ServerObserver& shown, const StudySession& session, bool external,
               fs::path token_file)
      : shown_(shown),
        keeper_(session.directory, session.spec->storage.checkpoints),
        roster_(session.directory),
        external_(external),
        speaks_protocol_(session.spec->trainer.external.value_or(false)),
        token_file_(std::move(token_file)) {
    keeper_.sweep(session.coordinator->state());
  }
  void on_events(std::span<const Event> events, const Coordinator& coordinator) override {
    shown_.on_events(events, coordinator);
    keeper_.on_events(events, coordinator.state());
  }
  void on_tick(const Coordinator& coordinator,
               const std::vector<LaunchedTrainer>& trainers) override {
    shown_.on_tick(coordinator, trainers);
    roster_.tick(coordinator, monotonic_now());
  }
  void on_refused(const Refused& so_far) override { roster_.refused(so_far); }
  void on_files(const FileTransfers& now) override { roster_.files(now); }
  void on_notice(const std::string& text) override { shown_.on_notice(text); }
  void on_listening(const std::string& endpoint) override {
    roster_.listening(endpoint);
    if (!external_) return;
    const bool keys = endpoint.starts_with("tcp://") && token_file_.empty();
    const std::string token = token_file_.string(), address = reachable(endpoint);
    if (speaks_protocol_) {
      on_notice(fmt::format(
          "waiting for trainers that speak the protocol (docs/protocol.md) at {}{}{}", address,
          token.empty() ? "" : ", with the token in " + token, keys ? ", with their keys" : ""));
    } else {
      on_notice(fmt::format(
          "waiting for trainers; start them with  betatune-trainer --connect {}{}{}", address,
          token.empty() ? "" : " --token-file " + token, keys ? " --key FILE" : ""));
    }
  }

 private:
  ServerObserver& shown_;
  CheckpointKeeper keeper_;
  RosterFile roster_;
  bool external_ = false;         ///< nobody starts them
  bool speaks_protocol_ = false;  ///< who comes must know what to train
  fs::path token_file_;
};

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::unique_ptr<Launcher> make_launcher(const StudySpec& spec, const std::string& file,
                                        Diagnostics& diagnostics) {
  if (spec.trainer.external.value_or(false)) return nullptr;
  const auto* entry = find_launcher(spec, Mark{file}, diagnostics);
  if (entry == nullptr || spec.launcher.trainers == 0) return nullptr;
  return entry->make(LauncherContext{spec}, ConfigNode(), diagnostics);
}

Status check_assignable(const StudySpec& spec) {
  Assign assign;
  assign.params = spec.space.sample(root_key(0));
  assign.job.config = spec.trainer.config;
  assign.job.command = spec.trainer.command.value_or(std::vector<std::string>{});
  const auto sent = decode_message(encode_message(assign));
  if (sent) return Ok{};
  return Error{ErrorKind::invalid_argument,
               fmt::format("`trainer` and one configuration do not fit into a message to trainers "
                           "({}); keep large data in files and give their paths",
                           sent.error().message)};
}

Result<std::optional<KeyRing>> keys_for(const StudySpec& spec, const Bind& bind) {
  if (!bind.asks_for_keys) return std::optional<KeyRing>();
  const fs::path folder =
      spec.server.keys ? fs::path(*spec.server.keys) : KeyRing::default_folder();
  BETATUNE_TRY(KeyRing ring, KeyRing::open(folder));
  BETATUNE_TRY(const std::vector<KeyGrant> allowed, ring.grants());
  if (!allowed.empty()) return std::optional(std::move(ring));
  return Error{
      ErrorKind::invalid_argument,
      fmt::format("server.bind {}: other machines come in with keys, and {} has none; make "
                  "one for each of them:  betatune key new NAME{}",
                  bind.endpoint, folder.string(),
                  spec.server.keys ? " --keys " + *spec.server.keys : "")};
}

Result<std::string> serve_session(StudySession& session, const Bind& bind,
                                  const std::optional<KeyRing>& keys, Launcher* launcher,
                                  const ServeOptions& options) {
  const auto progress = make_progress(progress_kind(options.json, options.quiet), *session.spec);
  const auto observer =
      std::make_unique<Housekeeping>(*progress, session, launcher == nullptr, bind.token_file);
  ServerOptions settings;
  settings.bind = bind;
  settings.keys = keys;
  settings.local_key_file = session.directory / "local.key";
  settings.log_directory = session.directory / "logs";
  settings.study_directory = session.directory;
  settings.drain_grace = std::chrono::seconds(options.grace_s);
  auto end =
      serve({*session.coordinator, *session.policies.searcher, *session.store, launcher, *observer},
            settings);
  if (end && end.value() == "no_trainer") show_trainer_logs(settings.log_directory);
  return end;
}

}  // namespace betatune
