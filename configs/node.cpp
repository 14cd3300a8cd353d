// The only file that includes yaml-cpp, and the only one of this folder that catches exceptions.

#include "configs/node.hpp"

#include <algorithm>
#include <new>
#include <set>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "configs/node_data.hpp"
#include "configs/scalar.hpp"
#include "configs/source.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;
using Data = ConfigNodeBuilder::Data;

// Ends the parse after a problem that leaves nothing sensible to read.
struct StopParsing {};

// Builds the tree from yaml-cpp's events. Its own Node type would expand aliases, pass duplicate
// keys and change under a non-const operator[].
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, const SourceText& source, Diagnostics& diagnostics)
      : file_(std::move(file)), source_(source), diagnostics_(diagnostics) {}

  ConfigNode root() const { return root_; }
  bool has_root() const { return has_root_; }

  Mark mark_of(const YAML::Mark& mark, int length = 1) const {
    return Mark{file_, std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1, length};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!has_root_) return;
    diagnostics_.error("E0007", "the file holds more than one YAML document", mark_of(mark),
                       "a study is one document: remove what follows `---`");
    throw StopParsing{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_properties(mark, anchor);
    Data data;
    data.mark = mark_of(mark);
    take(std::move(data), mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    diagnostics_.error("E0005", "aliases (`*name`) are not allowed in study files", mark_of(mark),
                       "write the value out, or put shared parameters into an included file");
    throw StopParsing{};
  }

  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_properties(mark, anchor);
    take(scalar(mark, value), mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Data data;
    YAML::Mark at;
    bool has_key = false;
    std::string key;
    Mark key_mark;
    std::set<std::string> keys;
  };

  // yaml-cpp's mark of a node with properties points at the first of them.
  void refuse_properties(const YAML::Mark& mark, YAML::anchor_t anchor) {
    const char first = source_.byte(mark.line, mark.column);
    if (anchor != 0 || first == '&') {
      diagnostics_.error("E0005", "anchors (`&name`) are not allowed in study files", mark_of(mark),
                         "remove the anchor; values cannot be shared by reference");
      throw StopParsing{};
    }
    if (first == '!') {
      diagnostics_.error("E0005", "tags (`!name`) are not allowed in study files", mark_of(mark),
                         "remove the tag; quote the value to make it a string");
      throw StopParsing{};
    }
  }

  Data scalar(const YAML::Mark& mark, const std::string& value) {
    Data data;
    const char first = source_.byte(mark.line, mark.column);
    data.text = value;
    data.mark = mark_of(mark, static_cast<int>(value.size()));
    if (first == '"' || first == '\'' || first == '|' || first == '>') {
      data.kind = Kind::string;
      data.value = value;
      const bool block = first == '|' || first == '>';
      data.text_offset = block ? -1 : 1;
      data.mark.length = block ? 1 : data.mark.length + 2;
      return data;
    }
    PlainScalar plain = read_plain_scalar(value);
    data.kind = plain.kind;
    data.value = std::move(plain.value);
    // A key such as `010:` is only a name.
    if (!plain.problem.empty() && !at_key()) {
      diagnostics_.error("E0009", std::move(plain.problem), data.mark, std::move(plain.help));
    }
    return data;
  }

  bool at_key() const {
    return !levels_.empty() && levels_.back().data.kind == Kind::mapping && !levels_.back().has_key;
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Kind kind) {
    refuse_properties(mark, anchor);
    if (at_key()) bad_key(mark);
    if (levels_.size() >= static_cast<std::size_t>(limits::kYamlDepth)) {
      diagnostics_.error("E0008",
                         "nested deeper than " + std::to_string(limits::kYamlDepth) + " levels",
                         mark_of(mark), "no study file needs this");
      throw StopParsing{};
    }
    Level level;
    level.data.kind = kind;
    level.data.mark = mark_of(mark);
    level.at = mark;
    levels_.push_back(std::move(level));
  }

  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    take(std::move(level.data), level.at);
  }

  [[noreturn]] void bad_key(const YAML::Mark& mark) {
    diagnostics_.error("E0010", "a key must be a plain word", mark_of(mark), "write `name: value`");
    throw StopParsing{};
  }

  void take(Data data, const YAML::Mark& mark) {
    if (levels_.empty()) {
      root_ = ConfigNodeBuilder::make(std::move(data));
      has_root_ = true;
      return;
    }
    Level& level = levels_.back();
    if (level.data.kind == Kind::sequence) {
      level.data.items.push_back(ConfigNodeBuilder::make(std::move(data)));
    } else if (level.has_key) {
      add_entry(level, ConfigNodeBuilder::make(std::move(data)));
    } else {
      if (data.text.empty() || data.kind == Kind::sequence || data.kind == Kind::mapping) {
        bad_key(mark);
      }
      level.has_key = true;
      level.key = std::move(data.text);
      level.key_mark = data.mark;
    }
  }

  void add_entry(Level& level, ConfigNode value) {
    level.has_key = false;
    if (!level.keys.insert(level.key).second) {
      const auto first = std::find_if(level.data.entries.begin(), level.data.entries.end(),
                                      [&](const auto& entry) { return entry.key == level.key; });
      diagnostics_.error("E0006", "the key `" + level.key + "` is given twice", level.key_mark,
                         "first given in line " + std::to_string(first->key_mark.line));
      return;
    }
    level.data.entries.push_back({std::move(level.key), level.key_mark, std::move(value)});
  }

  std::string file_;
  const SourceText& source_;
  Diagnostics& diagnostics_;
  std::vector<Level> levels_;
  ConfigNode root_;
  bool has_root_ = false;
};

std::string syntax_help(const std::string& message, std::string_view line) {
  const bool tab = line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string::npos;
  if (tab || message.find("tab") != std::string::npos) return "indent with spaces, not with tabs";
  if (message.find("EOF in scalar") != std::string::npos) return "a closing quote is missing";
  if (message.find("end of map") != std::string::npos ||
      message.find("illegal map value") != std::string::npos) {
    return "look at the indentation, and for a missing `:`, `,` or `}`";
  }
  if (message.find("end of sequence") != std::string::npos) return "look for a missing `,` or `]`";
  return {};
}

}  // namespace

ConfigNode ConfigNode::parse(std::string_view text, const std::string& file_name,
                             Diagnostics& diagnostics) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (!check_text(text, file_name, diagnostics)) return {};
  const SourceText source(text);
  TreeBuilder builder(file_name, source, diagnostics);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const StopParsing&) {
    return {};
  } catch (const YAML::Exception& exception) {
    diagnostics.error("E0004", "this is not YAML: " + exception.msg,
                      builder.mark_of(exception.mark),
                      syntax_help(exception.msg, source.line(exception.mark.line + 1)));
    return {};
  } catch (const std::bad_alloc&) {
    diagnostics.error("E0002", "not enough memory to read the file", Mark{file_name, 0, 0, 1});
    return {};
  }
  if (!builder.has_root() || builder.root().is_null()) {
    diagnostics.error("E0001", "`" + file_name + "` is empty", Mark{file_name, 0, 0, 1},
                      "see docs/study-file.md for what a study file holds");
  }
  return builder.root();
}

ConfigNode ConfigNode::load(const std::filesystem::path& path, Diagnostics& diagnostics) {
  const auto text = read_text_file(path, limits::kStudyFileBytes);
  if (!text) {
    const bool too_large = text.error().kind == ErrorKind::unsupported;
    diagnostics.error(too_large ? "E0002" : "E0001", text.error().message,
                      Mark{path.string(), 0, 0, 1});
    return {};
  }
  return parse(text.value(), path.string(), diagnostics);
}

}  // namespace betatune
