#include "trainers/plugin_host.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <grp.h>
#include <map>
#include <pwd.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace betatune {
namespace {

namespace fs = std::filesystem;

bool is_path(const std::string& plugin) {
  return plugin.size() > 3 && plugin.compare(plugin.size() - 3, 3, ".so") == 0;
}

Error not_a_plugin(const fs::path& path, const std::string& why) {
  return Error{ErrorKind::invalid_argument, path.string() + ": " + why};
}

/// Whether a group is this user's alone: named like the user, with nobody else in it. Systems that
/// make such groups let their members write by default.
bool is_own_group(gid_t id) {
  std::vector<char> group_text(16'384), user_text(16'384);
  group group_entry{};
  passwd user_entry{};
  group* found = nullptr;
  passwd* user = nullptr;
  ::getgrgid_r(id, &group_entry, group_text.data(), group_text.size(), &found);
  ::getpwuid_r(::geteuid(), &user_entry, user_text.data(), user_text.size(), &user);
  if (found == nullptr || user == nullptr) return false;
  const std::string name = user->pw_name;
  if (found->gr_name != name) return false;
  for (char** member = found->gr_mem; *member != nullptr; ++member) {
    if (*member != name) return false;
  }
  return true;
}

Status check_table(const fs::path& path, const betatune_plugin& plugin) {
  // Only `size` and the ABI numbers may be read before the numbers are known to match.
  if (plugin.size < offsetof(betatune_plugin, name)) {
    return not_a_plugin(path, "its betatune_plugin_v1 says size " + std::to_string(plugin.size) +
                                  ", too small to be a plug-in's table; was it zero-initialised?");
  }
  if (plugin.abi_major != BETATUNE_ABI_MAJOR) {
    return not_a_plugin(path, "built for plug-in ABI " + std::to_string(plugin.abi_major) +
                                  ", this betatune-trainer speaks ABI " +
                                  std::to_string(BETATUNE_ABI_MAJOR) +
                                  "; build it again with this version's plugin.h");
  }
  if (plugin.size < offsetof(betatune_plugin, create) + sizeof plugin.create ||
      plugin.create == nullptr) {
    return not_a_plugin(path, "its betatune_plugin_v1 has no create function");
  }
  if (plugin.name == nullptr || plugin.version == nullptr) {
    return not_a_plugin(path, "its betatune_plugin_v1 has no name or no version");
  }
  return Ok{};
}

}  // namespace

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  if (const char* listed = std::getenv("BETATUNE_PLUGIN_PATH")) {
    std::stringstream stream(listed);
    for (std::string each; std::getline(stream, each, ':');) {
      if (!each.empty()) folders.emplace_back(each);
    }
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path root = program.parent_path().parent_path();
    folders.push_back(root / "plugins");
    folders.push_back(root / "lib" / "betatune" / "plugins");
    // Where the build's GNUInstallDirs put libraries, if that is not lib/ (lib64, lib/<triplet>).
    const fs::path installed = root / BETATUNE_INSTALL_LIBDIR / "betatune" / "plugins";
    if (installed != folders.back()) folders.push_back(installed);
  }
  return folders;
}

std::string open_to_others(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return path.string() + ": " + std::strerror(errno);
  if (found.st_uid != 0 && found.st_uid != ::geteuid()) {
    return path.string() + " belongs to another user";
  }
  const bool others = (found.st_mode & S_IWOTH) != 0;
  const bool group = (found.st_mode & S_IWGRP) != 0 && !is_own_group(found.st_gid);
  if (!others && !group) return {};
  return "others may write " + path.string() + " (`chmod go-w` it)";
}

Result<fs::path> find_plugin(const std::string& plugin, const fs::path& directory) {
  std::error_code error;
  if (is_path(plugin)) {
    const fs::path path = fs::path(plugin).is_absolute() ? fs::path(plugin) : directory / plugin;
    if (fs::exists(path, error)) return fs::absolute(path, error).lexically_normal();
    return Error{ErrorKind::not_found,
                 "plug-in `" + plugin + "`: there is no file " + path.string()};
  }
  if (plugin.empty() || plugin.find('/') != std::string::npos) {
    return Error{ErrorKind::invalid_argument,
                 "plug-in `" + plugin + "`: expected a name or a path that ends in .so"};
  }
  std::string looked;
  for (const fs::path& folder : plugin_folders()) {
    const fs::path path = folder / (plugin + ".so");
    if (fs::exists(path, error)) {
      for (const fs::path& each : {folder, path}) {
        const std::string why = open_to_others(each);
        if (why.empty()) continue;
        return Error{ErrorKind::invalid_argument,
                     "plug-in `" + plugin + "`: " + why +
                         ". By its name it is taken only where nobody else can put one"};
      }
      return fs::absolute(path, error).lexically_normal();
    }
    looked += (looked.empty() ? "" : ", ") + folder.string();
  }
  return Error{ErrorKind::not_found, "plug-in `" + plugin + "` is in none of: " + looked +
                                         ". Set BETATUNE_PLUGIN_PATH, or name the .so file"};
}

std::vector<fs::path> all_plugins() {
  std::map<std::string, fs::path> found;
  for (const fs::path& folder : plugin_folders()) {
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      if (at->path().extension() == ".so") found.emplace(at->path().stem().string(), at->path());
    }
  }
  std::vector<fs::path> paths;
  for (const auto& [name, path] : found) paths.push_back(path);
  return paths;
}

Result<const betatune_plugin*> load_plugin(const fs::path& path) {
  // RTLD_NOW: a missing symbol is an error here and not in the middle of a training. RTLD_LOCAL:
  // two plug-ins with a symbol of the same name do not meet.
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Error{ErrorKind::unavailable, "cannot load " + path.string() + ": " + ::dlerror()};
  }
  const void* symbol = ::dlsym(library, BETATUNE_PLUGIN_SYMBOL);
  if (symbol == nullptr) {
    return not_a_plugin(path, "not a trainer plug-in: it exports no `" BETATUNE_PLUGIN_SYMBOL
                              "`; end the C++ file with BETATUNE_TRAINER(...)");
  }
  const auto* plugin = static_cast<const betatune_plugin*>(symbol);
  BETATUNE_CHECK(check_table(path, *plugin));
  return plugin;
}

std::string missing_functions(const betatune_trainer* trainer) {
  if (trainer == nullptr) return "create() answered NULL";
  constexpr std::size_t kLeast = offsetof(betatune_trainer, destroy) + sizeof trainer->destroy;
  if (trainer->size < kLeast) {
    return "its betatune_trainer says size " + std::to_string(trainer->size) +
           ", expected at least " + std::to_string(kLeast);
  }
  std::string missing;
  const auto need = [&](bool there, const char* name) {
    if (!there)
      missing += (missing.empty() ? "its betatune_trainer lacks " : ", ") + std::string(name);
  };
  need(trainer->setup != nullptr, "setup");
  need(trainer->train != nullptr, "train");
  need(trainer->last_error != nullptr, "last_error");
  need(trainer->destroy != nullptr, "destroy");
  return missing;
}

}  // namespace betatune
