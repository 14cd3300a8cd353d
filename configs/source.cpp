#include "configs/source.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace betatune {
namespace {

class OpenFile {
 public:
  // O_NONBLOCK: opening a named pipe that nobody writes to must not wait for ever.
  explicit OpenFile(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Error cannot_read(const std::filesystem::path& path, const std::string& why) {
  return Error{ErrorKind::not_found, "cannot read `" + path.string() + "`: " + why};
}

Error too_large(const std::filesystem::path& path, std::size_t bytes_max) {
  return Error{ErrorKind::unsupported, "`" + path.string() + "` is larger than " +
                                           std::to_string(bytes_max >> 10) +
                                           " KiB, the most a study file may have"};
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7F;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

SourceText::SourceText(std::string_view text) {
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines_.push_back(line);
    begin = end + 1;
  }
}

char SourceText::byte(int line_index, int column) const {
  const std::string_view text = line(line_index + 1);
  if (column < 0 || static_cast<std::size_t>(column) >= text.size()) return 0;
  return text[static_cast<std::size_t>(column)];
}

std::string_view SourceText::line(int number) const {
  if (number < 1 || static_cast<std::size_t>(number) > lines_.size()) return {};
  return lines_[static_cast<std::size_t>(number) - 1];
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t bytes_max) {
  const OpenFile file(path);
  if (file.descriptor() < 0) return cannot_read(path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0) return cannot_read(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return cannot_read(path, "it is a directory");
  if (!S_ISREG(status.st_mode)) return cannot_read(path, "it is not a regular file");
  std::string text;
  std::array<char, 1 << 16> buffer{};
  while (true) {
    const ssize_t got = ::read(file.descriptor(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path, std::strerror(errno));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > bytes_max) return too_large(path, bytes_max);
  }
}

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool too_high = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_high ? 0 : length;
}

bool check_text(std::string_view text, const std::string& file_name, Diagnostics& diagnostics) {
  Mark mark{file_name, 1, 1, 1};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0 || is_control(text[at])) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "0x%02X", static_cast<unsigned char>(text[at]));
      diagnostics.error("E0003",
                        "this is not a text file: the byte " + std::string(hex.data()) +
                            (length == 0 ? " is not UTF-8" : " is a control character"),
                        mark, "a study file is YAML in UTF-8");
      return false;
    }
    if (text[at] == '\n') {
      ++mark.line;
      mark.column = 1;
    } else {
      mark.column += static_cast<int>(length);
    }
    at += length;
  }
  return true;
}

}  // namespace betatune
