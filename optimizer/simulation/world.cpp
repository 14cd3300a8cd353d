#include "optimizer/simulation/world.hpp"

namespace betatune::simulation {

void Clock::at(Monotonic when, std::function<void()> action) {
  queue_.push(Entry{std::max(when, now_), count_++, std::move(action)});
}

bool Clock::step() {
  if (queue_.empty()) return false;
  Entry next = queue_.top();
  queue_.pop();
  now_ = next.when;
  next.action();
  return true;
}

FaultRates draw_rates(Stream& random) {
  const auto draw = [&](double small) {
    const double choices[] = {0, small, 3 * small};
    return choices[random.below(3)];
  };
  FaultRates rates;
  rates.drop = draw(0.06);
  rates.duplicate = draw(0.06);
  rates.slow = draw(0.06);
  rates.partition = draw(0.01);
  rates.trainer_crash = draw(0.02);
  rates.hang = draw(0.01);
  rates.server_crash = draw(0.01);
  rates.append_fails = draw(0.003);
  rates.torn_append = draw(0.3);
  rates.fail = draw(0.1);
  rates.diverge = draw(0.1);
  rates.user = draw(0.005);
  rates.damage = draw(0.1);
  return rates;
}

World::World(std::uint64_t seed)
    : random(fold_in(root_key(seed), "simulation")), rates(draw_rates(random)) {}

Monotonic World::delay(double least_s, double most_s) {
  const double seconds = least_s + (most_s - least_s) * random.uniform();
  return Monotonic(static_cast<std::int64_t>(seconds * 1e6));
}

void World::spoil(std::string& bytes) {
  if (bytes.empty()) return;
  char& byte = bytes[random.below(bytes.size())];
  byte = static_cast<char>(byte ^ 1);
}

void Network::carry(const TrainerId& link, const std::function<void()>& deliver) {
  const int copies = world_.chance(world_.rates.duplicate) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    const bool is_cut = world_.clock.now() < cut_until_[link];
    if (is_cut || world_.chance(world_.rates.drop)) continue;
    // A connection keeps the order of its messages, but for the slow ones.
    Monotonic delay = std::chrono::milliseconds(2);
    if (world_.chance(world_.rates.slow)) delay = world_.delay(0, 8);
    world_.clock.after(delay, deliver);
  }
}

void Network::cut(const TrainerId& link, Monotonic for_so_long) {
  cut_until_[link] = world_.clock.now() + for_so_long;
}

}  // namespace betatune::simulation
