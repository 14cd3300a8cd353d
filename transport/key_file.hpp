#pragma once
/// CURVE keys (RFC 25/26 of ZeroMQ), and the file that a trainer connects with.

#include <filesystem>
#include <string>

#include "searchspaces/result.hpp"

namespace betatune {

/// Both in Z85, 40 characters each.
struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

/// Errors: unsupported (a libzmq without CURVE).
Result<KeyPair> make_key_pair();
/// The 32 bytes of a public key in Z85; empty if there are not 32.
std::string z85_key(std::string_view bytes);

/// Everything that a trainer needs to be let in, and to know that it talks to the right optimizer.
struct TrainerKey {
  std::string name;  ///< of the key; the trainer's own name begins with it
  KeyPair own;
  std::string server;  ///< public key of the optimizer
};

/// As JSON, 0600.
Status write_trainer_key(const std::filesystem::path& file, const TrainerKey& key);
/// Errors: not_found; invalid_argument (open to others, not a key file), saying what to do.
Result<TrainerKey> read_trainer_key(const std::filesystem::path& file);

}  // namespace betatune
