#pragma once
/// Texts that are nearly right.

#include <algorithm>
#include <string>
#include <vector>

#include "searchspaces/random.hpp"

namespace betatune::support {

/// One edit: a byte changed, a piece removed, doubled and moved, or taken from `other`; a snippet
/// put in, or in the place of a piece or of a number; the rest cut off.
inline std::string mutated(std::string text, const std::string& other,
                           const std::vector<std::string>& snippets, Stream& stream) {
  const auto place = [&](const std::string& in) {
    return static_cast<std::size_t>(stream.below(in.size() + 1));
  };
  const std::size_t at = place(text);
  const std::size_t count = std::min<std::size_t>(stream.below(50), text.size() - at);
  const std::string& snippet = snippets[stream.below(snippets.size())];
  switch (stream.below(8)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(stream.below(256));
      break;
    case 1:
      text.erase(at, count);
      break;
    case 2:
      text.insert(place(text), text.substr(at, count));
      break;
    case 3: {
      const std::size_t from = place(other);
      text.insert(at, other.substr(from, stream.below(200)));
      break;
    }
    case 4:
      text.insert(at, snippet);
      break;
    case 5:
      text.replace(at, count, snippet);
      break;
    case 6: {
      // The number, if any, that begins at or after the place.
      const std::size_t digit = text.find_first_of("0123456789", at);
      if (digit == std::string::npos) break;
      const std::size_t end = std::min(text.find_first_not_of("0123456789.e-", digit), text.size());
      text.replace(digit, end - digit, snippet);
      break;
    }
    default:
      text.resize(at);
      break;
  }
  return text;
}

}  // namespace betatune::support
