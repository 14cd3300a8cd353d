#pragma once
/// The optimizer's side of the keys: its own pair, and who is let in. A folder (0700) that studies
/// share:
///
///   server.json          the optimizer's pair
///   allowed/NAME.json    a trainer's public key, for whom it is, and how much it may offer
///
/// Secrets of trainers are written once, into the file that is carried to them, and kept nowhere.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "transport/key_file.hpp"

namespace betatune {

struct KeyGrant {
  std::string name;  ///< letters, digits, '.', '_' and '-'
  std::string public_key;
  std::string user;             ///< for people; may be empty
  std::optional<int> slots;     ///< that its trainers may offer together
  std::int64_t created_at = 0;  ///< seconds since 1970, of this key pair
};

class KeyRing {
 public:
  /// $XDG_CONFIG_HOME/betatune/keys, else ~/.config/betatune/keys.
  static std::filesystem::path default_folder();
  /// Makes the folder and the optimizer's pair where they are missing. Errors: invalid_argument
  /// (open to others, damaged), unavailable, unsupported.
  static Result<KeyRing> open(const std::filesystem::path& folder);

  const KeyPair& server() const { return server_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// Reads who is allowed now. A grant that cannot be read allows nobody, and is an error here.
  Result<std::vector<KeyGrant>> grants() const;

  /// Lets a new pair in under grant.name, and returns it. Errors: invalid_argument (a name that
  /// cannot be one), conflict (there is one of that name).
  Result<TrainerKey> issue(KeyGrant grant) const;
  /// The same grant with a new pair; the old one is let in no more. Errors: not_found.
  Result<TrainerKey> rotate(const std::string& name) const;
  /// Errors: not_found.
  Status revoke(const std::string& name) const;

 private:
  Result<TrainerKey> grant_new_pair(KeyGrant grant) const;
  std::filesystem::path file_of(const std::string& name) const;

  std::filesystem::path folder_;
  KeyPair server_;
};

}  // namespace betatune
