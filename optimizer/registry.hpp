#pragma once
/// Policies and adapters by name. A new one is one .cpp that registers itself with the described
/// struct of its options:
///
///   const bool registered = SearcherRegistry::add<GridOptions>("grid", "Every combination.",
///   make);
///
/// where make(context, options, node, diagnostics) gets the options as they were read. Reading
/// them, `betatune schema` and the tables of docs/search.md come from the struct's field list.
/// Files that only register themselves are linked as an OBJECT library: a static one would drop
/// them.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "configs/field_schema.hpp"
#include "configs/node.hpp"
#include "configs/read.hpp"

namespace betatune {

/// For those that have no options.
struct NoOptions {
  static constexpr auto fields() { return std::tuple<>{}; }
};

/// T::kOptionsPath is where the options of a T stand in a study file ("algorithm.scheduler").
template <class T, class Context>
class Registry {
 public:
  /// From the node of the options (null or a mapping), reporting what is wrong with their marks;
  /// returns nullptr if anything was.
  using Make = std::function<std::unique_ptr<T>(const Context&, const ConfigNode&, Diagnostics&)>;
  /// Called even if an option could not be read (which then has its default), so that all problems
  /// are told at once. `node` is for the marks of what is wrong.
  template <class Options>
  using MakeWith = std::unique_ptr<T> (*)(const Context&, const Options&, const ConfigNode& node,
                                          Diagnostics&);

  struct Entry {
    std::string summary;
    Make make;
    Json (*options_schema)() = nullptr;  ///< an object schema that allows no other keys
  };

  template <Described Options>
  static bool add(std::string name, std::string summary, MakeWith<Options> make) {
    const auto read_and_make = [make](const Context& context, const ConfigNode& node,
                                      Diagnostics& diagnostics) -> std::unique_ptr<T> {
      Options options;
      const bool read = node.is_null() || read_config(node, T::kOptionsPath, diagnostics, options);
      std::unique_ptr<T> made = make(context, options, node, diagnostics);
      return read ? std::move(made) : nullptr;
    };
    entries()[std::move(name)] = {std::move(summary), read_and_make, &schema_of<Options>};
    return true;
  }
  static const Entry* find(const std::string& name) {
    const auto found = entries().find(name);
    return found == entries().end() ? nullptr : &found->second;
  }
  /// Names and summaries, sorted by name.
  static std::vector<std::pair<std::string, std::string>> list() {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [name, entry] : entries()) out.emplace_back(name, entry.summary);
    return out;
  }
  /// For a name that is not registered: "did you mean `gp`?", or all names there are. `also` are
  /// names that mean one of them.
  static std::string help_for(const std::string& name, std::vector<std::string> also = {}) {
    for (const auto& [each, entry] : entries()) also.push_back(each);
    if (const std::string near = closest(name, also); !near.empty()) {
      return "did you mean `" + near + "`?";
    }
    std::string all = "one of: ";
    for (const std::string& each : also) all += (all.ends_with(": ") ? "" : ", ") + each;
    return all;
  }

 private:
  static std::map<std::string, Entry>& entries() {
    static std::map<std::string, Entry> all;
    return all;
  }
};

}  // namespace betatune
