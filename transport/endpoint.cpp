#include "transport/endpoint.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "searchspaces/limits.hpp"
#include "transport/private_file.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWays = "use ipc://auto, ipc://PATH or tcp://ADDRESS:PORT";
constexpr std::size_t kTokenBytes = 16;

Error refused(const std::string& bind, const std::string& why) {
  return Error{ErrorKind::invalid_argument, fmt::format("server.bind {}: {}", bind, why)};
}

std::uint64_t path_hash(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// For studies in folders with long names. The same study finds the same socket again.
fs::path short_folder(const fs::path& study_dir) {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const fs::path base = runtime != nullptr && *runtime == '/'
                            ? fs::path(runtime) / "betatune"
                            : fs::path(fmt::format("/tmp/betatune-{}", geteuid()));
  return base / fmt::format("{:016x}", path_hash(study_dir.string()));
}

Result<Bind> bind_auto(const fs::path& study_dir) {
  constexpr const char* kName = "optimizer";
  fs::path folder = study_dir / "socket";
  if ((folder / kName).string().size() > limits::kSocketPathBytes) {
    folder = short_folder(study_dir);
    BETATUNE_CHECK(make_private_folder(folder.parent_path()));
  }
  BETATUNE_CHECK(make_private_folder(folder));
  return Bind{"ipc://" + (folder / kName).string(), "", {}};
}

Result<Bind> bind_ipc(const std::string& bind, const std::string& path) {
  if (path.empty() || path.front() == '@') {
    return refused(bind, "sockets without a file are open to every user; give a path");
  }
  std::error_code failed;
  const fs::path whole = fs::absolute(path, failed);
  if (failed || whole.string().size() > limits::kSocketPathBytes) {
    return refused(bind, fmt::format("the path of a socket may have {} bytes, this one has {}; "
                                     "choose a shorter one, or ipc://auto",
                                     limits::kSocketPathBytes, whole.string().size()));
  }
  struct stat there {};
  if (lstat(whole.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    return refused(bind, "something that is not a socket is there; choose another path");
  }
  BETATUNE_CHECK(make_private_folder(whole.parent_path()));
  return Bind{"ipc://" + whole.string(), "", {}};
}

Result<std::string> random_token() {
  std::array<unsigned char, kTokenBytes> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Error{ErrorKind::unavailable, "no random bytes for the study's token"};
  }
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

Result<Bind> bind_loopback(const std::string& bind, const fs::path& study_dir) {
  const fs::path file = study_dir / "token";
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    fs::create_directories(study_dir, failed);
    BETATUNE_TRY(const std::string fresh, random_token());
    BETATUNE_CHECK(write_private(file, fresh));
  }
  BETATUNE_TRY(std::string token, read_token(file));
  return Bind{bind, std::move(token), file};
}

bool is_port(std::string_view text) {
  if (text == "*") return true;
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65'535;
}

/// "*", a name, an IPv4 address, an interface, or an IPv6 address in brackets.
bool is_host(std::string_view text) {
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (bracketed) text = text.substr(1, text.size() - 2);
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word || c == '.' || c == '-' || c == '_' || c == '*' || (bracketed && c == ':');
  });
}

}  // namespace

Result<Bind> resolve_bind(const std::string& bind, const fs::path& study_dir, bool with_keys) {
  constexpr std::string_view kIpc = "ipc://", kTcp = "tcp://";
  if (with_keys && bind.starts_with(kIpc)) {
    return refused(bind,
                   "server.keys has no use with an ipc address, which only this user can "
                   "reach; give a tcp address (--bind), or remove server.keys");
  }
  if (bind == "ipc://auto") return bind_auto(study_dir);
  if (bind.starts_with(kIpc)) return bind_ipc(bind, bind.substr(kIpc.size()));
  const std::size_t colon = bind.rfind(':');
  const bool whole = bind.starts_with(kTcp) && colon > kTcp.size() &&
                     is_host(std::string_view(bind).substr(kTcp.size(), colon - kTcp.size())) &&
                     is_port(std::string_view(bind).substr(colon + 1));
  if (!whole) return refused(bind, kWays);
  const bool loopback = bind.substr(0, colon) == "tcp://127.0.0.1";
  if (loopback && !with_keys) return bind_loopback(bind, study_dir);
  Bind keyed{bind, "", {}};
  keyed.asks_for_keys = true;
  return keyed;
}

Result<std::string> read_token(const fs::path& file) {
  BETATUNE_TRY(std::string token, read_private(file));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.size() < kTokenBytes || token.size() > 4 * kTokenBytes) {
    return Error{
        ErrorKind::invalid_argument,
        fmt::format("{}: is not a token; delete it and start the optimizer again", file.string())};
  }
  return token;
}

}  // namespace betatune
