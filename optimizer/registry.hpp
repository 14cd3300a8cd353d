#pragma once
/// Policies and adapters by name. A new one is one .cpp that registers itself:
///
///   namespace { const bool registered = SearcherRegistry::add("random", "Uniform draws.", make); }
///
/// They are linked as an OBJECT library: a static one would drop files that nobody refers to.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "configs/node.hpp"

namespace betatune {

template <class T, class Context>
class Registry {
 public:
  /// Reads its options from the node (null or a mapping), reporting what is wrong with their marks;
  /// returns nullptr if anything was.
  using Make = std::function<std::unique_ptr<T>(const Context&, const ConfigNode&, Diagnostics&)>;

  struct Entry {
    std::string summary;
    Make make;
  };

  static bool add(std::string name, std::string summary, Make make) {
    entries()[std::move(name)] = Entry{std::move(summary), std::move(make)};
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

 private:
  static std::map<std::string, Entry>& entries() {
    static std::map<std::string, Entry> all;
    return all;
  }
};

}  // namespace betatune
