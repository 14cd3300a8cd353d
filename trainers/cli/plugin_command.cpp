#include "trainers/cli/plugin_command.hpp"

#include <cstdio>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

#include "trainers/failures.hpp"
#include "trainers/metrics.hpp"
#include "trainers/plugin_host.hpp"
#include "trainers/posix.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// What a plug-in says of itself, or `error`.
struct PluginFacts {
  std::string path, name, version, abi, error;
  bool resumable = false;
  static constexpr auto fields() {
    return std::tuple{Field{"path", &PluginFacts::path, "the library"},
                      defaulted("name", &PluginFacts::name, "its own name"),
                      defaulted("version", &PluginFacts::version, "its own version"),
                      defaulted("abi", &PluginFacts::abi, "plug-in interface, major.minor"),
                      defaulted("resumable", &PluginFacts::resumable, "can save and load"),
                      defaulted("error", &PluginFacts::error, "why it cannot be used")};
  }
};

int32_t ignore_report(void*, int64_t, const char*) {
  return BETATUNE_CONTINUE;
}
void ignore_log(void*, int32_t, const char*) {}
const void* no_extension(void*, const char*) {
  return nullptr;
}

PluginFacts look_inside(const fs::path& path) {
  PluginFacts facts;
  facts.path = path;
  const auto plugin = load_plugin(path);
  if (!plugin) {
    facts.error = plugin.error().message;
    return facts;
  }
  facts.name = clean_text(plugin.value()->name, 128);
  facts.version = clean_text(plugin.value()->version, 128);
  facts.abi =
      std::to_string(plugin.value()->abi_major) + "." + std::to_string(plugin.value()->abi_minor);
  const betatune_host host{sizeof(betatune_host), nullptr, &ignore_report, &ignore_log,
                           &no_extension};
  const betatune_trainer* trainer = plugin.value()->create(&host);
  facts.error = missing_functions(trainer);
  if (!facts.error.empty()) return facts;
  facts.resumable = trainer->save != nullptr && trainer->load != nullptr;
  trainer->destroy(trainer->self);
  return facts;
}

/// In a child: a plug-in may crash while it is being looked at.
PluginFacts examine(const fs::path& path) {
  PluginFacts facts;
  facts.path = path;
  auto pair = packet_pair();
  if (!pair) {
    facts.error = pair.error().message;
    return facts;
  }
  auto& [ours, theirs] = pair.value();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    // What a plug-in prints is no data of this command's.
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    const std::string text = json_text(encode_json(look_inside(path)));
    ::_exit(send_packet(theirs.get(), text) ? 0 : 1);
  }
  theirs.reset();
  const Packet packet = receive_packet(ours.get(), true);
  ProcessEnd end;
  ::waitpid(pid, &end.wait_status, 0);
  if (packet.state == Packet::State::arrived) {
    auto told = decode_json<PluginFacts>(Json::parse(packet.bytes, nullptr, false), "plugin");
    if (told) return std::move(told).value();
  }
  facts.error = failure_of(end, "loading it").message;
  return facts;
}

/// To look at a plug-in is to run it: not where others could have put it.
PluginFacts examine_if_ours(const fs::path& path) {
  PluginFacts facts;
  facts.path = path;
  facts.error = open_to_others(path.parent_path());
  if (facts.error.empty()) facts.error = open_to_others(path);
  return facts.error.empty() ? examine(path) : facts;
}

void print_json(const Json& json) {
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace

int plugin_list(bool json) {
  Json all = Json::array();
  for (const fs::path& path : all_plugins()) {
    const PluginFacts facts = examine_if_ours(path);
    all.push_back(encode_json(facts));
    if (json) continue;
    const std::string what = facts.error.empty() ? facts.version : "cannot be used: " + facts.error;
    std::printf("%-24s %-12s %s\n", path.stem().c_str(), what.c_str(), path.c_str());
  }
  if (json) print_json({{"schema", "betatune.plugins/1"}, {"plugins", all}});
  if (!json && all.empty()) std::fprintf(stderr, "no plug-in found; set BETATUNE_PLUGIN_PATH\n");
  return 0;
}

int plugin_check(const std::string& plugin, bool json) {
  PluginFacts facts;
  const auto path = find_plugin(plugin, fs::current_path());
  if (path) {
    facts = examine(path.value());
  } else {
    facts.path = plugin;
    facts.error = path.error().message;
  }
  if (json) {
    Json body = encode_json(facts);
    body["schema"] = "betatune.plugin/1";
    print_json(body);
  } else if (facts.error.empty()) {
    std::printf("%s %s (ABI %s, %s)\n%s\n", facts.name.c_str(), facts.version.c_str(),
                facts.abi.c_str(), facts.resumable ? "can resume" : "cannot resume",
                facts.path.c_str());
  } else {
    std::fprintf(stderr, "betatune-trainer: %s\n", facts.error.c_str());
  }
  return facts.error.empty() ? 0 : 1;
}

}  // namespace betatune
