#include "optimizer/simulation/desk.hpp"

#include "optimizer/file_transfers.hpp"
#include "optimizer/simulation/courier.hpp"

namespace betatune::simulation {

SimDesk::SimDesk(World& world, const StudyFiles& files, Post post, std::function<void()> dies)
    : world_(world), files_(files), post_(std::move(post)), dies_(std::move(dies)) {}

void SimDesk::boot() {
  ++boot_;
  busy_until_ = world_.clock.now();
  exchange_ = std::make_unique<FolderExchange>(
      files_.folder(), ExchangeOptions{.survives_power_loss = false, .left_free_bytes = 0});
}

void SimDesk::crash() {
  ++boot_;
  sending_.clear();
  ended_.clear();
  exchange_.reset();
}

void SimDesk::take(Received received) {
  if (auto* put = std::get_if<PutFile>(&received.message)) {
    sending_.insert({put->trial, put->attempt});
    if (world_.chance(world_.rates.spoil)) world_.spoil(put->bytes);
  }
  busy_until_ = std::max(busy_until_, world_.clock.now()) + world_.delay(0, 0.02);
  world_.clock.at(busy_until_, [this, boot = boot_, received = std::move(received)] {
    if (boot == boot_) work(received);
  });
}

void SimDesk::work(Received received) {
  if (const auto* get = std::get_if<GetFile>(&received.message)) {
    FileData data = exchange_->get(*get);
    if (data.bytes.size() > kPartBytes) data.bytes.resize(kPartBytes);
    return answer(received.from, std::move(data));
  }
  if (world_.chance(world_.rates.append_fails)) return;  // the disk cannot be written now
  auto stored = exchange_->put(std::get<PutFile>(received.message));
  if (world_.chance(world_.rates.server_crash)) return dies_();
  if (stored) answer(received.from, *std::move(stored));
}

void SimDesk::answer(const PeerId& to, Message message) {
  world_.clock.after(world_.delay(0, 0.02), [this, boot = boot_, to, message = std::move(message)] {
    if (boot == boot_) post_(to, message);
  });
}

void SimDesk::tidy(const StudyState& state) {
  for (auto at = sending_.begin(); at != sending_.end();) {
    if (is_under_way(state, at->first, at->second)) {
      ++at;
      continue;
    }
    // Behind what waits, as all work of the thread.
    ended_.insert(*at);
    world_.clock.at(busy_until_, [this, boot = boot_, key = *at] {
      if (boot != boot_) return;
      exchange_->forget(key.first, key.second);
      ended_.erase(key);
    });
    at = sending_.erase(at);
  }
}

void SimDesk::close(const StudyState& state) {
  tidy(state);
  for (const auto& [trial, attempt] : ended_) exchange_->forget(trial, attempt);
  ended_.clear();
  ++boot_;
}

}  // namespace betatune::simulation
