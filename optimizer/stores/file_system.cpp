#include "optimizer/stores/file_system.hpp"

#include <array>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <utility>

namespace betatune {
namespace {

constexpr unsigned long kFuseMagic = 0x65735546;

/// Values of statfs(2) and of the file systems' own headers.
constexpr std::array<std::pair<unsigned long, const char*>, 13> kNetworkMagic{{
    {0x6969, "NFS"},
    {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB"},
    {0x517B, "SMB"},
    {0x0BD00BD0, "Lustre"},
    {0x47504653, "GPFS"},
    {0x00C36400, "Ceph"},
    {0x5346414F, "AFS"},
    {0x19830326, "BeeGFS"},
    {0x7461636F, "OCFS2"},
    {0x01161970, "GFS2"},
    {0xAAD7AAEA, "PanFS"},
    {0x73757245, "Coda"},
}};

/// FUSE subtypes whose bytes lie on this machine.
constexpr std::array<std::string_view, 6> kLocalFuse{"fuseblk",       "fuse.fuse-overlayfs",
                                                     "fuse.bindfs",   "fuse.gocryptfs",
                                                     "fuse.mergerfs", "fuse.encfs"};

/// Field 9 of the line of /proc/self/mountinfo whose device is `device`; the last one wins, as the
/// last mount does.
std::string mount_type_of(dev_t device) {
  const std::string wanted = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line, type;
  while (std::getline(mounts, line)) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream head(line.substr(0, dash)), tail(line.substr(dash + 3));
    std::string id, parent, number, name;
    head >> id >> parent >> number;
    tail >> name;
    if (number == wanted) type = name;
  }
  return type;
}

}  // namespace

std::optional<std::string> network_file_system(unsigned long magic, std::string_view mount_type) {
  for (const auto& [value, name] : kNetworkMagic) {
    if (magic == value) return name;
  }
  if (magic != kFuseMagic || mount_type.empty() || mount_type == "fuse") return std::nullopt;
  for (const std::string_view local : kLocalFuse) {
    if (mount_type == local) return std::nullopt;
  }
  return std::string(mount_type);
}

std::optional<std::string> network_file_system_of(const std::filesystem::path& path) {
  struct statfs file_system {};
  struct stat status {};
  if (::statfs(path.c_str(), &file_system) != 0 || ::stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  const auto magic = static_cast<unsigned long>(file_system.f_type) & 0xFFFFFFFFul;
  return network_file_system(magic, magic == kFuseMagic ? mount_type_of(status.st_dev) : "");
}

}  // namespace betatune
