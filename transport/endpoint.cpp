#include "transport/endpoint.hpp"

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

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWays =
    "use ipc://auto, ipc://PATH or tcp://127.0.0.1:PORT (other addresses need keys, which this "
    "version does not have; an ssh tunnel to the loopback port works)";
constexpr std::size_t kTokenBytes = 16;

Error refused(const std::string& bind, const std::string& why) {
  return Error{ErrorKind::invalid_argument, fmt::format("server.bind {}: {}", bind, why)};
}

/// A folder that nobody else may enter, made if it is not there.
Status private_folder(const fs::path& folder) {
  std::error_code failed;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), failed);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{ErrorKind::unavailable,
                 fmt::format("{}: cannot be made: {}", folder.string(), std::strerror(errno))};
  }
  struct stat found {};
  // lstat: a link that somebody else put there must not lead the socket to their folder.
  if (lstat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("{}: must be a folder (not a link)", folder.string())};
  }
  if (found.st_uid != geteuid() || (found.st_mode & 077) != 0) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("{}: others may enter this folder, and could connect to the socket in "
                             "it; `chmod 700 {}` (as its owner), or choose another folder",
                             folder.string(), folder.string())};
  }
  return Ok{};
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
    BETATUNE_CHECK(private_folder(folder.parent_path()));
  }
  BETATUNE_CHECK(private_folder(folder));
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
  BETATUNE_CHECK(private_folder(whole.parent_path()));
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

/// Written whole under another name, then renamed: a half-written token would lock everyone out.
Status write_token(const fs::path& file, const std::string& token) {
  const fs::path draft = file.string() + ".new";
  ::unlink(draft.c_str());
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool fine =
      fd >= 0 && ::write(fd, token.data(), token.size()) == static_cast<ssize_t>(token.size());
  if (fd >= 0) {
    fine = ::fsync(fd) == 0 && fine;
    ::close(fd);
  }
  if (!fine || ::rename(draft.c_str(), file.c_str()) != 0) {
    return Error{ErrorKind::unavailable,
                 fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno))};
  }
  return Ok{};
}

Result<Bind> bind_loopback(const std::string& bind, const fs::path& study_dir) {
  const fs::path file = study_dir / "token";
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    fs::create_directories(study_dir, failed);
    BETATUNE_TRY(const std::string fresh, random_token());
    BETATUNE_CHECK(write_token(file, fresh));
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

}  // namespace

Result<Bind> resolve_bind(const std::string& bind, const fs::path& study_dir) {
  constexpr std::string_view kIpc = "ipc://";
  constexpr std::string_view kLoopback = "tcp://127.0.0.1:";
  if (bind == "ipc://auto") return bind_auto(study_dir);
  if (bind.starts_with(kIpc)) return bind_ipc(bind, bind.substr(kIpc.size()));
  if (bind.starts_with(kLoopback) && is_port(std::string_view(bind).substr(kLoopback.size()))) {
    return bind_loopback(bind, study_dir);
  }
  return refused(bind, kWays);
}

Result<std::string> read_token(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return Error{ErrorKind::not_found,
                 fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno))};
  }
  struct stat found {};
  std::array<char, 4 * kTokenBytes> text{};
  const bool is_private = ::fstat(fd, &found) == 0 && (found.st_mode & 077) == 0;
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (!is_private) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("{}: others may read this token; delete it and start the optimizer "
                             "again (it makes a new one), or `chmod 600` it",
                             file.string())};
  }
  std::string token(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.size() < kTokenBytes) {
    return Error{
        ErrorKind::invalid_argument,
        fmt::format("{}: is not a token; delete it and start the optimizer again", file.string())};
  }
  return token;
}

}  // namespace betatune
