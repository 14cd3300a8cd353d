#pragma once
/// The text of a study file: read with care, checked, and cut into lines.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "configs/node.hpp"
#include "searchspaces/result.hpp"

namespace betatune {

/// Some editors put it in front of UTF-8; it is no part of the text.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The lines of a text, without their ends. Holds views: the text must outlive it.
class SourceText {
 public:
  explicit SourceText(std::string_view text);
  /// 0-based, as yaml-cpp counts; 0 where there is nothing.
  char byte(int line, int column) const;
  /// 1-based; empty if there is no such line.
  std::string_view line(int number) const;

 private:
  std::vector<std::string_view> lines_;
};

/// A whole regular file. Errors: not_found (missing, not a file, not readable: the message says
/// which), unsupported (larger than `bytes_max`).
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t bytes_max);

/// Whether the text is UTF-8 without control characters; the first offence becomes a diagnostic.
bool check_text(std::string_view text, const std::string& file_name, Diagnostics& diagnostics);

/// Length of the UTF-8 sequence at the front of `text`, or 0 if it is not well formed.
std::size_t utf8_length(std::string_view text);

}  // namespace betatune
