#pragma once
/// The file that a trainer connects with.

#include <filesystem>
#include <string>

#include "searchspaces/result.hpp"
#include "transport/zmq_keys.hpp"

namespace betatune {

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
