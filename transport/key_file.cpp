#include "transport/key_file.hpp"

#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <zmq.h>

#include "searchspaces/value.hpp"
#include "transport/private_file.hpp"

namespace betatune {
namespace {

constexpr std::size_t kKeyBytes = 32, kKeyText = 40;

bool is_key(const std::string& text) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  return text.size() == kKeyText && zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
}

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

Result<KeyPair> make_key_pair() {
  std::array<char, kKeyText + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    return Error{ErrorKind::unsupported,
                 "this libzmq was built without CURVE: install one that has it"};
  }
  return KeyPair{public_key.data(), secret_key.data()};
}

std::string z85_key(std::string_view bytes) {
  if (bytes.size() != kKeyBytes) return {};
  std::array<char, kKeyText + 1> text{};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return text.data();
}

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
  const bool whole = !key.name.empty() && is_key(key.own.public_key) &&
                     is_key(key.own.secret_key) && is_key(key.server);
  if (!whole) return no_key(file);
  return key;
}

}  // namespace betatune
