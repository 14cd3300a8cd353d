// How problems are shown: the compiler's style that people know.

#include <algorithm>
#include <map>

#include "configs/node.hpp"
#include "configs/source.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

constexpr std::size_t kShownBytes = 160;

struct Palette {
  const char* error = "";
  const char* place = "";
  const char* bold = "";
  const char* reset = "";
};
constexpr Palette kPlain{};
constexpr Palette kColored{"\033[1;31m", "\033[1;34m", "\033[1m", "\033[0m"};

// What is shown of a line: one column per character, so that carets stand where they should.
struct Shown {
  std::string text;
  std::size_t caret_from = 0;
  std::size_t carets = 1;
};

// Tabs become one space, and what could control a terminal a question mark.
Shown show_line(std::string_view line, const Mark& mark) {
  const std::size_t first = static_cast<std::size_t>(std::max(mark.column - 1, 0));
  const std::size_t last = first + static_cast<std::size_t>(std::max(mark.length, 1));
  const std::size_t begin =
      first > kShownBytes / 2 && line.size() > kShownBytes ? first - kShownBytes / 2 : 0;
  Shown shown;
  std::size_t carets = 0;
  std::size_t columns = 0;
  std::size_t at = begin;
  // A window may begin inside a character.
  while (at > 0 && at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80) ++at;
  if (begin > 0) {
    shown.text = "...";
    columns = 3;
  }
  shown.caret_from = columns;
  for (; at < line.size() && at < begin + kShownBytes; ++columns) {
    const std::size_t length = utf8_length(line.substr(at));
    const bool odd = length == 0 || (length == 1 && (line[at] < ' ' || line[at] == 0x7F));
    if (at < first) shown.caret_from = columns + 1;
    if (at >= first && at < last) ++carets;
    if (odd) {
      shown.text += line[at] == '\t' ? ' ' : '?';
    } else {
      shown.text += line.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  if (at < line.size()) shown.text += "...";
  shown.carets = std::max<std::size_t>(carets, 1);
  return shown;
}

// File names and messages may hold anything a file can.
std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    const bool odd = length == 0 || (length == 1 && (text[at] < ' ' || text[at] == 0x7F));
    if (odd && text[at] != '\n') {
      out += '?';
    } else {
      out += text.substr(at, std::max<std::size_t>(length, 1));
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

// The files that diagnostics point into, each read once; an unreadable one has no lines.
class Sources {
 public:
  std::string_view line(const Mark& mark) {
    auto found = files_.find(mark.file);
    if (found == files_.end()) {
      auto text = read_text_file(mark.file, limits::kStudyFileBytes);
      std::string lines = text ? std::move(text).value() : std::string();
      if (lines.starts_with(kByteOrderMark)) lines.erase(0, kByteOrderMark.size());
      found = files_.emplace(mark.file, std::move(lines)).first;
    }
    return SourceText(found->second).line(mark.line);
  }

 private:
  std::map<std::string, std::string> files_;
};

void render_one(const Diagnostic& problem, const Palette& color, Sources& sources,
                std::string& out) {
  const Mark& mark = problem.mark;
  const std::string help = printable(problem.help);
  out += std::string(color.error) + "error[" + problem.code + "]" + color.reset + color.bold +
         ": " + printable(problem.message) + color.reset + "\n";
  const std::string number = mark.line > 0 ? std::to_string(mark.line) : "";
  const std::string margin(number.size(), ' ');
  if (mark.line > 0) {
    out += margin + color.place + "--> " + color.reset + printable(mark.file) + ":" + number + ":" +
           std::to_string(mark.column) + "\n";
  }
  const std::string_view line = mark.line > 0 ? sources.line(mark) : std::string_view{};
  if (line.empty()) {
    if (!help.empty()) out += margin + "  = help: " + help + "\n";
    return;
  }
  const Shown shown = show_line(line, mark);
  out += color.place + number + " |" + color.reset + " " + shown.text + "\n";
  out += color.place + margin + " |" + color.reset + " " + std::string(shown.caret_from, ' ') +
         color.error + std::string(shown.carets, '^') + color.reset +
         (help.empty() ? "" : " " + help) + "\n";
}

// Edit distance with transpositions of neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, substituted});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return out;
}

}  // namespace

void Diagnostics::error(std::string code, std::string message, const Mark& mark, std::string help) {
  if (problems_.size() >= limits::kDiagnostics) {
    ++dropped_;
    return;
  }
  problems_.push_back({std::move(code), std::move(message), mark, std::move(help)});
}

std::string Diagnostics::render(bool color) const {
  std::vector<const Diagnostic*> ordered;
  std::map<std::string, std::size_t> rank;  // files in the order in which they were first named
  for (const Diagnostic& problem : problems_) {
    ordered.push_back(&problem);
    rank.emplace(problem.mark.file, rank.size());
  }
  std::stable_sort(ordered.begin(), ordered.end(), [&](const auto* a, const auto* b) {
    return std::tuple(rank[a->mark.file], a->mark.line, a->mark.column) <
           std::tuple(rank[b->mark.file], b->mark.line, b->mark.column);
  });
  Sources sources;
  std::string out;
  for (const Diagnostic* problem : ordered) {
    render_one(*problem, color ? kColored : kPlain, sources, out);
  }
  if (dropped_ > 0) out += "and " + std::to_string(dropped_) + " more problems\n";
  return out;
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > limits::kNameBytes) return {};
  const std::string wanted = lower(word);
  std::string best;
  // At most a third of the word may be wrong: `lr` is not a slip of `tags`.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > limits::kNameBytes) continue;
    const std::size_t distance = edit_distance(wanted, lower(candidate));
    // A distance of the word's whole length means that nothing is shared.
    if (distance < best_distance && distance < std::max(wanted.size(), candidate.size())) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace betatune
