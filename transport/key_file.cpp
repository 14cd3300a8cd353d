#include "transport/key_file.hpp"

#include <fmt/format.h>

#include "searchspaces/value.hpp"
#include "transport/private_file.hpp"

namespace betatune {
namespace {

Error no_key(const std::filesystem::path& file) {
  return Error{ErrorKind::invalid_argument,
               fmt::format("{}: is not a key file; `betatune key new NAME`, where the optimizer "
                           "runs, makes one",
                           file.string())};
}

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Status write_trainer_key(const std::filesystem::path& file, const TrainerKey& key) {
  const Json json{{"betatune_key", 1},
                  {"name", key.name},
                  {"public", key.own.public_key},
                  {"secret", key.own.secret_key},
                  {"server", key.server}};
  return write_private(file, json.dump(2) + "\n");
}

Result<TrainerKey> read_trainer_key(const std::filesystem::path& file) {
  BETATUNE_TRY(const std::string text, read_private(file));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("betatune_key", Json()) != Json(1)) return no_key(file);
  TrainerKey key{text_at(json, "name"),
                 {text_at(json, "public"), text_at(json, "secret")},
                 text_at(json, "server")};
  const bool whole = !key.name.empty() && is_z85_key(key.own.public_key) &&
                     is_z85_key(key.own.secret_key) && is_z85_key(key.server);
  if (!whole) return no_key(file);
  return key;
}

}  // namespace betatune
