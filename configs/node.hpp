#pragma once
/// A YAML document as an immutable tree of values with marks, and the diagnostics that point into
/// it.
///
/// yaml-cpp's EventHandler feeds it (only node.cpp includes yaml-cpp). Rejected with
/// file:line:column: anchors, aliases, tags, duplicate keys, several documents, depth > 64, files >
/// 1 MiB. Scalars are typed by YAML 1.2's core schema plus `1e-5`; quoted scalars are strings;
/// `010` is an error (octal or decimal?). The same tree can be made from JSON, for documents read
/// from the log.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "searchspaces/result.hpp"
#include "searchspaces/value.hpp"

namespace betatune {

/// Where something stands: 1-based line and column; line 0 if it has no place (made from JSON).
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;
  int length = 1;  ///< bytes to underline
};

/// One problem of a study file.
struct Diagnostic {
  std::string code;  ///< "E0102": stable, documented in docs/study-file.md
  std::string message;
  Mark mark;
  std::string help;  ///< "did you mean `learning_rate`?", may be empty
};

/// Collects every problem instead of stopping at the first.
class Diagnostics {
 public:
  void error(std::string code, std::string message, const Mark& mark, std::string help = {});
  bool ok() const { return problems_.empty(); }
  /// At most limits::kDiagnostics; `dropped` counts the rest.
  const std::vector<Diagnostic>& problems() const { return problems_; }
  std::size_t dropped() const { return dropped_; }
  /// In the compiler's style, with the source line and carets (the file is read again for them),
  /// sorted by place. Ends with a line feed unless there is nothing to say.
  std::string render(bool color) const;

 private:
  std::vector<Diagnostic> problems_;
  std::size_t dropped_ = 0;
};

class ConfigNode {
 public:
  struct Entry;
  enum class Kind { null, boolean, integer, real, string, sequence, mapping };

  ConfigNode();  ///< null, without a place
  /// Errors go to `diagnostics`; the node is null if the text could not be read at all.
  static ConfigNode load(const std::filesystem::path& path, Diagnostics& diagnostics);
  static ConfigNode parse(std::string_view text, const std::string& file_name,
                          Diagnostics& diagnostics);
  static ConfigNode from_json(const Json& json, const std::string& file_name);

  Kind kind() const;
  const Mark& mark() const;
  /// The place of the `offset`-th byte of a scalar's text, for problems inside expressions.
  Mark mark_at(std::size_t offset, int length = 1) const;
  bool is_null() const { return kind() == Kind::null; }
  /// Scalars: the value (precondition: boolean, integer, real or string).
  const Value& value() const;
  /// Scalars: the text as written, so that "1e-5" or "48h" can be shown and parsed again.
  const std::string& text() const;
  /// Elements of a sequence, entries of a mapping in the order of the file; empty otherwise.
  const std::vector<ConfigNode>& items() const;
  const std::vector<Entry>& entries() const;
  /// The value under `key`, or nullptr.
  const ConfigNode* find(std::string_view key) const;
  /// This mapping without some of its keys; other kinds are returned as they are.
  ConfigNode without(const std::vector<std::string>& keys) const;
  /// As JSON, comments and marks lost.
  Json to_json() const;
  /// What a user calls this kind: "a string", "a mapping".
  std::string_view describe() const;

 private:
  struct Data;
  friend struct ConfigNodeBuilder;
  explicit ConfigNode(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

struct ConfigNode::Entry {
  std::string key;
  Mark key_mark;
  ConfigNode value;
};

/// The candidate closest to `word` by edit distance if it is close enough to be meant, else "".
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace betatune
