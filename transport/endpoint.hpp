#pragma once
/// Where the optimizer listens, and who can reach it there.
///
/// There are two ways without keys: a Unix socket in a folder that only its owner may enter, and
/// the loopback device with a token that only the owner may read. Everywhere else keys are asked
/// for (optimizer/gate.hpp).

#include <filesystem>
#include <string>

#include "searchspaces/result.hpp"

namespace betatune {

struct Bind {
  std::string endpoint;              ///< for ZmqSocket::bind
  std::string token;                 ///< trainers must show it; empty for ipc
  std::filesystem::path token_file;  ///< empty for ipc
  bool asks_for_keys = false;        ///< other machines may reach it
};

/// `bind`: "ipc://auto", "ipc://PATH" or "tcp://ADDRESS:PORT" (PORT may be "*", ADDRESS too). With
/// `with_keys` even the loopback device asks for keys. Makes the
/// socket's folder (0700) or the token file (0600, once per study) in `study_dir`. Where the path
/// of ipc://auto would be too long for a socket, it lies in the user's runtime folder instead.
/// Errors: invalid_argument (not one of these; path too long; folder open to others), unavailable.
Result<Bind> resolve_bind(const std::string& bind, const std::filesystem::path& study_dir,
                          bool with_keys = false);

/// The token in a file, for a trainer. Errors: not_found, invalid_argument (open to others, empty).
Result<std::string> read_token(const std::filesystem::path& file);

}  // namespace betatune
