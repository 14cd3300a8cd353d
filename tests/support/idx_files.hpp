#pragma once
/// Small data sets in the idx format, for tests of trainers/torch.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>
#include <zlib.h>

namespace betatune::support {

using Bytes = std::vector<std::uint8_t>;

inline Bytes idx_bytes(const std::vector<std::uint32_t>& shape, const Bytes& content) {
  Bytes bytes{0, 0, 8, static_cast<std::uint8_t>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  bytes.insert(bytes.end(), content.begin(), content.end());
  return bytes;
}

inline void write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  for (const std::uint8_t byte : bytes) file.put(static_cast<char>(byte));
}

inline Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_gzip(const std::filesystem::path& path, const Bytes& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb1");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

struct Pictures {
  std::uint32_t count = 0, side = 8, classes = 4;
};

/// A picture of class c is bright in its own band of rows, with noise: easily, not trivially,
/// learnt. `files` is "train" or "t10k".
inline void write_pictures(const std::filesystem::path& folder, const std::string& files,
                           const Pictures& p) {
  Bytes pixels, labels;
  std::uint32_t noise = files == "train" ? 1 : 2;
  for (std::uint32_t i = 0; i < p.count; ++i) {
    const std::uint32_t label = i % p.classes;
    labels.push_back(static_cast<std::uint8_t>(label));
    for (std::uint32_t y = 0; y < p.side; ++y) {
      for (std::uint32_t x = 0; x < p.side; ++x) {
        noise = noise * 1664525u + 1013904223u;
        const std::uint32_t light = y * p.classes / p.side == label ? 80 : 0;
        pixels.push_back(static_cast<std::uint8_t>(light + (noise >> 24) * 2 / 3));
      }
    }
  }
  write_gzip(folder / (files + "-images-idx3-ubyte.gz"),
             idx_bytes({p.count, p.side, p.side}, pixels));
  write_gzip(folder / (files + "-labels-idx1-ubyte.gz"), idx_bytes({p.count}, labels));
}

inline void write_data_set(const std::filesystem::path& folder, std::uint32_t train = 160,
                           std::uint32_t test = 40) {
  write_pictures(folder, "train", {train});
  write_pictures(folder, "t10k", {test});
}

}  // namespace betatune::support
