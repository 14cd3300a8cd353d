/// `betatune key`: who may connect from other machines.

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "transport/key_ring.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

struct KeyOptions {
  std::string name, user, output, folder;
  std::optional<int> slots;
  bool json = false;

  fs::path ring() const { return folder.empty() ? KeyRing::default_folder() : fs::path(folder); }
  fs::path file() const { return output.empty() ? fs::path(name + ".key") : fs::path(output); }
};

int fail(const Error& error) {
  report_error(error, WorksOn::study);
  const bool asked_wrongly = error.kind == ErrorKind::invalid_argument ||
                             error.kind == ErrorKind::conflict ||
                             error.kind == ErrorKind::not_found;
  return asked_wrongly ? exit_codes::kUsage : exit_codes::kStorage;
}

/// Before a pair is made: a secret that cannot be kept would be a grant that nobody can use.
Status check_output(const fs::path& file) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(file, failed))) return Ok{};
  return Error{
      ErrorKind::conflict,
      fmt::format("{}: is there already; move it away, or give another -o", file.string())};
}

int hand_over(const KeyOptions& options, const Result<TrainerKey>& key) {
  if (!key) return fail(key.error());
  if (const Status written = write_trainer_key(options.file(), key.value()); !written) {
    return fail(written.error());
  }
  fmt::print(
      "{0}\n"
      "This file is a secret: carry it to the machine (scp keeps it one), and start there\n"
      "  betatune-trainer --connect tcp://HOST:PORT --key {0}\n",
      options.file().string());
  return exit_codes::kDone;
}

int make(const KeyOptions& options) {
  if (const Status free = check_output(options.file()); !free) return fail(free.error());
  const auto ring = KeyRing::open(options.ring());
  if (!ring) return fail(ring.error());
  return hand_over(options,
                   ring.value().issue(KeyGrant{options.name, "", options.user, options.slots, 0}));
}

int rotate(const KeyOptions& options) {
  if (const Status free = check_output(options.file()); !free) return fail(free.error());
  const auto ring = KeyRing::open(options.ring());
  if (!ring) return fail(ring.error());
  return hand_over(options, ring.value().rotate(options.name));
}

int revoke(const KeyOptions& options) {
  const auto ring = KeyRing::open(options.ring());
  if (!ring) return fail(ring.error());
  if (const Status gone = ring.value().revoke(options.name); !gone) return fail(gone.error());
  fmt::print("{} is let in no more; what its trainers run is given to others\n", options.name);
  return exit_codes::kDone;
}

int list(const KeyOptions& options) {
  const auto ring = KeyRing::open(options.ring());
  if (!ring) return fail(ring.error());
  const auto grants = ring.value().grants();
  if (!grants) return fail(grants.error());
  if (options.json) {
    Json keys = Json::array();
    for (const KeyGrant& each : grants.value()) {
      keys.push_back({{"name", each.name},
                      {"public", each.public_key},
                      {"user", each.user},
                      {"slots", or_null(each.slots)},
                      {"created_at", utc_text(each.created_at * 1'000'000)}});
    }
    print_json({{"schema", "betatune.keys/1"},
                {"folder", ring.value().folder().string()},
                {"server", ring.value().server().public_key},
                {"keys", keys}});
    return exit_codes::kDone;
  }
  Table table({"name", "user", "slots", "made", "public key"});
  for (const KeyGrant& each : grants.value()) {
    table.add({each.name, each.user.empty() ? "-" : each.user,
               each.slots ? std::to_string(*each.slots) : "any",
               utc_text(each.created_at * 1'000'000).substr(0, 10), each.public_key});
  }
  if (grants.value().empty()) {
    fmt::print(stderr, "nobody is let in yet:  betatune key new NAME\n");
  } else {
    fmt::print("{}", table.text());
  }
  return exit_codes::kDone;
}

}  // namespace

void add_key_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<KeyOptions>();
  CLI::App* key = app.add_subcommand("key",
                                     "Keys that let trainers in from other machines.\n\n"
                                     "  betatune key new cluster\n"
                                     "  betatune run study.yaml --bind tcp://*:5555\n");
  key->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, int (*run)(const KeyOptions&)) {
    CLI::App* command = key->add_subcommand(name, what);
    command->add_option("--keys", options->folder,
                        "Folder of the keys (default: ~/.config/betatune/keys).");
    command->callback([options, run, &exit_code] { exit_code = run(*options); });
    return command;
  };
  const auto named = [&](CLI::App* command) {
    command
        ->add_option("NAME", options->name, "Name of the key; its trainers' names begin with it.")
        ->required();
  };
  const auto written = [&](CLI::App* command) {
    command->add_option("-o,--output", options->output, "The file for it (default: NAME.key).");
  };
  CLI::App* fresh = add("new", "Make a key, and let it in.", make);
  named(fresh);
  written(fresh);
  fresh->add_option("--user", options->user, "For whom it is.");
  fresh->add_option("--slots", options->slots, "Slots that its trainers may offer together.")
      ->check(CLI::PositiveNumber);
  add("list", "Who is let in.", list)->add_flag("--json", options->json, "Print a JSON object.");
  CLI::App* again = add("rotate", "Replace a key; the old one is let in no more.", rotate);
  named(again);
  written(again);
  named(add("revoke", "Let a key in no more, from this moment.", revoke));
}

}  // namespace betatune
