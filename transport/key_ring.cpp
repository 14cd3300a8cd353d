#include "transport/key_ring.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

#include "searchspaces/limits.hpp"
#include "searchspaces/value.hpp"
#include "transport/private_file.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAllowed = "allowed";
/// Trainers that the optimizer starts itself.
constexpr std::string_view kReserved = "local";

Error damaged(const fs::path& file) {
  return Error{ErrorKind::invalid_argument,
               fmt::format("{}: is damaged; remove it (a grant: `betatune key new` makes another; "
                           "server.json: all trainers need new keys then)",
                           file.string())};
}

bool is_name(const std::string& name) {
  const auto is_fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= limits::kNameBytes / 2 && name.front() != '.' &&
         name.front() != '-' && std::ranges::all_of(name, is_fine);
}

Json to_json(const KeyGrant& grant) {
  Json json{{"name", grant.name}, {"public", grant.public_key}, {"created_at", grant.created_at}};
  if (!grant.user.empty()) json["user"] = grant.user;
  if (grant.slots) json["slots"] = *grant.slots;
  return json;
}

Result<Json> read_object(const fs::path& file) {
  BETATUNE_TRY(const std::string text, read_private(file));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return damaged(file);
  return json;
}

Result<KeyGrant> read_grant(const fs::path& file) {
  BETATUNE_TRY(const Json json, read_object(file));
  const auto of_type = [&](const char* key, auto is_type) {
    return !json.contains(key) || (json[key].*is_type)();
  };
  const bool fine = of_type("name", &Json::is_string) && of_type("public", &Json::is_string) &&
                    of_type("user", &Json::is_string) &&
                    of_type("slots", &Json::is_number_integer) &&
                    of_type("created_at", &Json::is_number_integer);
  if (!fine) return damaged(file);
  KeyGrant grant;
  grant.name = json.value("name", "");
  grant.public_key = json.value("public", "");
  grant.user = json.value("user", "");
  grant.created_at = json.value("created_at", std::int64_t{0});
  if (json.contains("slots")) grant.slots = json["slots"].get<int>();
  const bool whole =
      grant.name == file.stem().string() && is_name(grant.name) && grant.public_key.size() == 40;
  if (!whole) return damaged(file);
  return grant;
}

Result<KeyPair> read_server(const fs::path& file) {
  BETATUNE_TRY(const Json json, read_object(file));
  const Json open = json.value("public", Json()), secret = json.value("secret", Json());
  if (!open.is_string() || !secret.is_string()) return damaged(file);
  return KeyPair{open.get<std::string>(), secret.get<std::string>()};
}

}  // namespace

fs::path KeyRing::default_folder() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return fs::path(config) / "betatune/keys";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/") / ".config/betatune/keys";
}

Result<KeyRing> KeyRing::open(const fs::path& folder) {
  KeyRing ring;
  ring.folder_ = folder;
  BETATUNE_CHECK(make_private_folder(folder));
  BETATUNE_CHECK(make_private_folder(folder / kAllowed));
  const fs::path file = folder / "server.json";
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    BETATUNE_TRY(const KeyPair fresh, make_key_pair());
    const Json json{{"public", fresh.public_key}, {"secret", fresh.secret_key}};
    BETATUNE_CHECK(write_private(file, json.dump(2) + "\n"));
  }
  BETATUNE_TRY(ring.server_, read_server(file));
  return ring;
}

fs::path KeyRing::file_of(const std::string& name) const {
  return folder_ / kAllowed / (name + ".json");
}

Result<std::vector<KeyGrant>> KeyRing::grants() const {
  std::vector<KeyGrant> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_ / kAllowed, failed)) {
    if (entry.path().extension() != ".json") continue;
    auto grant = read_grant(entry.path());
    // Revoked between the listing and the reading.
    if (!grant && grant.error().kind == ErrorKind::not_found) continue;
    if (!grant) return grant.error();
    out.push_back(std::move(grant).value());
  }
  if (failed) {
    return Error{ErrorKind::unavailable, fmt::format("{}: {}", folder_.string(), failed.message())};
  }
  std::ranges::sort(out, {}, &KeyGrant::name);
  return out;
}

Result<TrainerKey> KeyRing::issue(KeyGrant grant) const {
  if (!is_name(grant.name)) {
    return Error{
        ErrorKind::invalid_argument,
        fmt::format("a key cannot be named `{}`: letters, digits, `.`, `_` and `-`, at most "
                    "{} of them, beginning with a letter, a digit or `_`",
                    grant.name, limits::kNameBytes / 2)};
  }
  if (grant.name == kReserved) {
    return Error{ErrorKind::invalid_argument,
                 "`local` is the name of the trainers that the optimizer starts itself"};
  }
  std::error_code failed;
  if (fs::exists(file_of(grant.name), failed)) {
    return Error{ErrorKind::conflict,
                 fmt::format("there is a key `{0}` already: `betatune key rotate {0}` replaces it, "
                             "`betatune key revoke {0}` removes it",
                             grant.name)};
  }
  return grant_new_pair(std::move(grant));
}

Result<TrainerKey> KeyRing::rotate(const std::string& name) const {
  if (!is_name(name)) return Error{ErrorKind::not_found, fmt::format("there is no key `{}`", name)};
  auto grant = read_grant(file_of(name));
  if (!grant && grant.error().kind == ErrorKind::not_found) {
    return Error{ErrorKind::not_found, fmt::format("there is no key `{}`", name)};
  }
  if (!grant) return grant.error();
  return grant_new_pair(std::move(grant).value());
}

Result<TrainerKey> KeyRing::grant_new_pair(KeyGrant grant) const {
  BETATUNE_TRY(KeyPair own, make_key_pair());
  grant.public_key = own.public_key;
  grant.created_at = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  BETATUNE_CHECK(write_private(file_of(grant.name), to_json(grant).dump(2) + "\n"));
  return TrainerKey{grant.name, std::move(own), server_.public_key};
}

Status KeyRing::revoke(const std::string& name) const {
  std::error_code failed;
  if (is_name(name) && fs::remove(file_of(name), failed)) return Ok{};
  if (failed) {
    return Error{ErrorKind::unavailable, fmt::format("{}: cannot be removed: {}",
                                                     file_of(name).string(), failed.message())};
  }
  return Error{ErrorKind::not_found, fmt::format("there is no key `{}`", name)};
}

}  // namespace betatune
