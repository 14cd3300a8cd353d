#include "transport/plain_text.hpp"

namespace betatune {
namespace {

/// Bytes of the control character that the text begins with; 0 if it begins with another one.
std::size_t control_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  // U+0080 to U+009F in UTF-8: terminals take them for escape sequences too.
  const bool high = byte(0) == 0xc2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xa0;
  return high ? 2 : 0;
}

}  // namespace

bool has_control_characters(std::string_view text) {
  for (; !text.empty(); text.remove_prefix(1)) {
    if (control_length(text) > 0) return true;
  }
  return false;
}

std::string plain_text(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const bool layout = text.front() == '\n' || text.front() == '\t';
    const std::size_t control = layout ? 0 : control_length(text);
    plain += control > 0 ? '?' : text.front();
    text.remove_prefix(control > 0 ? control : 1);
  }
  return plain;
}

}  // namespace betatune
