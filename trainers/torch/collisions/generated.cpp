#include "trainers/torch/collisions/generated.hpp"

#include <zlib.h>

#include "trainers/torch/engine/random.hpp"

namespace betatune::collisions {
namespace {

using engine::derive_key;
using engine::Purpose;

Table make_table(std::uint64_t key, std::int64_t count, std::size_t width, const MakeSample& make) {
  const auto rows = static_cast<std::size_t>(count);
  Table table{std::vector<float>(rows * width), std::vector<std::int64_t>(rows)};
  for (std::size_t i = 0; i < rows; ++i) {
    const std::span row(table.values.data() + i * width, width);
    table.labels[i] = make(derive_key(key, Purpose::events, i), row);
  }
  return table;
}

std::uint32_t checksum(const Table& table) {
  const auto crc_of = [](uLong crc, const auto& column) {
    return crc32_z(crc, reinterpret_cast<const Bytef*>(column.data()),
                   column.size() * sizeof column[0]);
  };
  return static_cast<std::uint32_t>(crc_of(crc_of(0, table.labels), table.values));
}

}  // namespace

DataSettings read_data(engine::Fields& config, const DataSettings& defaults) {
  constexpr std::int64_t kMost = 100'000'000;
  DataSettings data = defaults;
  data.train_samples = config.integer("train_samples", data.train_samples, 1, kMost);
  data.validation_samples = config.integer("validation_samples", data.validation_samples, 1, kMost);
  data.test_samples = config.integer("test_samples", data.test_samples, 0, kMost);
  data.seed = static_cast<std::uint64_t>(config.integer("data_seed", 0, 0, std::int64_t{1} << 53));
  return data;
}

Generated generate(const DataSettings& settings, std::size_t width, const MakeSample& make) {
  Generated data;
  const std::array counts{settings.train_samples, settings.validation_samples,
                          settings.test_samples};
  for (std::size_t part = 0; part < counts.size(); ++part) {
    const auto key = derive_key(settings.seed, Purpose::split, part);
    data.parts[part] = make_table(key, counts[part], width, make);
  }
  data.checksum = checksum(data.parts.front());
  return data;
}

}  // namespace betatune::collisions
