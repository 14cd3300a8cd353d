#include "optimizer/simulation/courier.hpp"

#include <algorithm>
#include <sstream>

#include "transport/digest.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune::simulation {
namespace {

constexpr std::uint64_t kWindow = 3 * kPartBytes;

}  // namespace

void SimCourier::send(const Key& key, const ArtifactRef& artifact, const Contents& contents) {
  parcels_.push_back({key, artifact, in_order(contents)});
  if (parcels_.size() == 1) put();
}

void SimCourier::fetch(const Key& key, const ArtifactRef& artifact) {
  orders_.push_back({key, artifact});
  if (orders_.size() == 1) begin_fetch();
}

void SimCourier::drop(const Key& key) {
  if (!parcels_.empty() && parcels_.front().key == key) sent_ = {};
  std::erase_if(parcels_, [&](const Parcel& each) { return each.key == key; });
  const bool first = !orders_.empty() && orders_.front().key == key;
  std::erase_if(orders_, [&](const Order& each) { return each.key == key; });
  if (!first) return;
  spoilt_ = 0;
  if (!orders_.empty()) begin_fetch();
}

void SimCourier::clear() {
  parcels_.clear();
  orders_.clear();
  sent_ = {};
  spoilt_ = 0;
}

void SimCourier::welcome() {
  sent_ = {};
  put();
}

void SimCourier::beat() {
  if (!std::exchange(put_moved_, false)) sent_.asked = sent_.known = false;
  put();
  if (!std::exchange(get_moved_, false)) fetched_.asked = fetched_.bytes.size();
  get();
}

void SimCourier::put() {
  if (parcels_.empty()) return;
  const Parcel& parcel = parcels_.front();
  const auto& [path, bytes] = parcel.files[sent_.file];
  PutFile message{parcel.key.first,
                  parcel.key.second,
                  parcel.artifact.uri,
                  path,
                  bytes.size(),
                  digest_of(bytes),
                  0,
                  ""};
  if (!sent_.known) {
    if (!std::exchange(sent_.asked, true)) outside_.say(message);
    return;
  }
  while (sent_.sent < bytes.size() && sent_.sent < sent_.there + kWindow) {
    message.offset = sent_.sent;
    message.bytes = bytes.substr(sent_.sent, kPartBytes);
    sent_.sent += message.bytes.size();
    outside_.say(message);
  }
}

void SimCourier::on(const FileStored& stored) {
  if (parcels_.empty()) return;
  const Parcel& parcel = parcels_.front();
  const auto& [path, bytes] = parcel.files[sent_.file];
  if (Key(stored.trial, stored.attempt) != parcel.key || stored.folder != parcel.artifact.uri ||
      stored.path != path) {
    return;
  }
  put_moved_ = true;
  if (!stored.problem.empty()) return welcome();
  sent_.there = std::min<std::uint64_t>(stored.offset, bytes.size());
  if (!std::exchange(sent_.known, true)) sent_.sent = sent_.there;
  const bool last = sent_.file + 1 == parcel.files.size();
  if (last ? !stored.complete : stored.offset < bytes.size()) return put();
  const std::size_t next = sent_.file + 1;
  sent_ = {};
  sent_.file = last ? 0 : next;
  if (!last) return put();
  const Parcel done = parcels_.front();
  parcels_.pop_front();
  put();
  outside_.arrived(done.key, done.artifact);
}

void SimCourier::begin_fetch() {
  fetched_ = {};
  fetched_.paths = {kSumsName};
  get();
}

void SimCourier::get() {
  if (orders_.empty()) return;
  const Order& order = orders_.front();
  const std::uint64_t here = fetched_.bytes.size();
  const auto wants = [&] {
    if (!fetched_.size) return fetched_.asked == here;
    return fetched_.asked < *fetched_.size && fetched_.asked < here + kWindow;
  };
  while (wants()) {
    outside_.say(GetFile{order.key.first, order.key.second, order.artifact.uri,
                         fetched_.paths[fetched_.file], fetched_.asked});
    fetched_.asked += kPartBytes;
  }
}

void SimCourier::on(const FileData& data) {
  if (orders_.empty()) return;
  const Order& order = orders_.front();
  if (Key(data.trial, data.attempt) != order.key || data.folder != order.artifact.uri ||
      data.path != fetched_.paths[fetched_.file] || data.offset != fetched_.bytes.size()) {
    return;
  }
  get_moved_ = true;
  if (!data.problem.empty()) return over(std::nullopt);
  fetched_.size = data.size;
  fetched_.bytes += data.bytes;
  if (fetched_.bytes.size() < data.size) return get();
  file_fetched();
}

void SimCourier::file_fetched() {
  if (fetched_.file == 0) {
    // Names of files that a damaged list has are nobody's.
    const bool listed = digest_of(fetched_.bytes) == *orders_.front().artifact.digest;
    if (!trusts_ && !listed) return spoilt();
    std::istringstream lines(fetched_.bytes);
    for (std::string line; std::getline(lines, line);) {
      if (line.size() > kDigestCharacters + 2) {
        fetched_.paths.push_back(line.substr(kDigestCharacters + 2));
      }
    }
  }
  fetched_.done[fetched_.paths[fetched_.file]] = std::move(fetched_.bytes);
  fetched_.bytes.clear();
  fetched_.asked = 0;
  fetched_.size.reset();
  if (++fetched_.file < fetched_.paths.size()) return get();
  if (trusts_ || is_whole(fetched_.done, *orders_.front().artifact.digest)) {
    return over(std::move(fetched_.done));
  }
  spoilt();
}

void SimCourier::spoilt() {
  if (++spoilt_ == 2) return over(std::nullopt);
  begin_fetch();
}

void SimCourier::over(std::optional<Contents> contents) {
  const Order order = orders_.front();
  orders_.pop_front();
  spoilt_ = 0;
  if (!orders_.empty()) begin_fetch();
  outside_.fetched(order.key, std::move(contents));
}

}  // namespace betatune::simulation
