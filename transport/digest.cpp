#include "transport/digest.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sodium.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace betatune {
namespace {

constexpr std::size_t kDigestBytes = kDigestCharacters / 2;
constexpr std::size_t kReadBytes = 1u << 20;

Error errno_of(const std::filesystem::path& file) {
  const int code = errno;
  return Error{code == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable,
               "read " + file.string() + ": " + std::system_category().message(code)};
}

}  // namespace

struct Digester::State {
  crypto_generichash_state hash{};
};

Digester::Digester() : state_(std::make_unique<State>()) {
  crypto_generichash_init(&state_->hash, nullptr, 0, kDigestBytes);
}
Digester::Digester(Digester&&) noexcept = default;
Digester& Digester::operator=(Digester&&) noexcept = default;
Digester::~Digester() = default;

void Digester::add(std::string_view bytes) {
  crypto_generichash_update(&state_->hash, reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
}

std::string Digester::hex() {
  std::array<unsigned char, kDigestBytes> raw{};
  crypto_generichash_final(&state_->hash, raw.data(), raw.size());
  std::array<char, kDigestCharacters + 1> text{};
  sodium_bin2hex(text.data(), text.size(), raw.data(), raw.size());
  return text.data();
}

std::string digest_of(std::string_view bytes) {
  Digester digester;
  digester.add(bytes);
  return digester.hex();
}

Result<std::string> digest_of_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno_of(file);
  Digester digester;
  std::vector<char> buffer(kReadBytes);
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const Error error = errno_of(file);
      ::close(fd);
      return error;
    }
    if (got == 0) break;
    digester.add({buffer.data(), static_cast<std::size_t>(got)});
  }
  ::close(fd);
  return digester.hex();
}

bool is_digest(std::string_view text) {
  return text.size() == kDigestCharacters && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace betatune
