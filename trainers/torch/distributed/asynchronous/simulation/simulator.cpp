#include "trainers/torch/distributed/asynchronous/simulation/simulator.hpp"

#include <cmath>
#include <limits>
#include <queue>

#include "trainers/torch/distributed/asynchronous/reduce.hpp"
#include "trainers/torch/distributed/asynchronous/registry.hpp"
#include "trainers/torch/distributed/asynchronous/simulation/random_stream.hpp"

namespace betatune::distributed::asynchronous {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// Virtual time: what is due next; of what is due together, what was asked for first.
class Clock {
 public:
  void after(double seconds, std::function<void()> what) {
    if (seconds < kNever) events_.push({now_ + seconds, ++asked_, std::move(what)});
  }
  bool step() {
    if (events_.empty()) return false;
    auto event = events_.top();
    events_.pop();
    now_ = event.time;
    event.what();
    return true;
  }
  double now() const { return now_; }

 private:
  struct Event {
    double time;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  std::priority_queue<Event> events_;
  double now_ = 0;
  std::uint64_t asked_ = 0;
};

struct SimulatedServer {
  std::unique_ptr<ServerCore> core;
  std::size_t first = 0;  ///< its first layer; it has core->sizes().size() of them
  double bytes = 0;
  double busy_until = 0;
};

struct SimulatedWorker {
  int id = 0;
  std::unique_ptr<WorkerRule> rule;
  std::unique_ptr<RandomStream> times;
  Layers parameters, gradient, push, pulled;
  std::vector<std::uint64_t> bases, pulled_versions;
  std::uint64_t sequence = 0, batches = 0;
  std::size_t open = 0;  ///< servers that have not answered yet
  double factor = 1;
};

class Simulation {
 public:
  Simulation(const DigitsProblem& problem, const SimulationSettings& settings);
  SimulationResult run();

 private:
  void add_server(const Layers& initial, std::size_t first, std::size_t count);
  double batch_seconds(SimulatedWorker& worker) const;
  double message(double bytes) const {
    return settings_.cluster.latency + bytes / settings_.cluster.bandwidth;
  }
  void serve(SimulatedServer& server, double bytes, std::function<void()> what);
  void compute(SimulatedWorker& worker);
  void computed(SimulatedWorker& worker);
  void gradient_of(SimulatedWorker& worker);
  void pull(SimulatedWorker& worker);
  void push(SimulatedWorker& worker);
  void answered(SimulatedWorker& worker);
  void keep_pulled(SimulatedWorker& worker, const SimulatedServer& server, const Answer& answer);
  void evaluate();
  Layers centre() const;

  const DigitsProblem& problem_;
  const SimulationSettings& settings_;
  Configured configured_;
  Clock clock_;
  std::vector<SimulatedServer> servers_;
  std::vector<SimulatedWorker> workers_;
  std::vector<Layers> shares_;
  std::uint64_t updates_ = 0;
  bool done_ = false;
  SimulationResult result_;
};

Simulation::Simulation(const DigitsProblem& problem, const SimulationSettings& settings)
    : problem_(problem),
      settings_(settings),
      configured_(read_strategy(settings.strategy, settings.workers)),
      workers_(static_cast<std::size_t>(settings.workers)) {
  const Layers initial = problem.initial(settings.seed);
  if (settings.server_per_layer) {
    for (std::size_t k = 0; k < initial.size(); ++k) add_server(initial, k, 1);
  } else {
    add_server(initial, 0, initial.size());
  }
  if (settings.sum_in_group) {
    shares_.assign(static_cast<std::size_t>(settings.group_size), zeros(sizes_of(initial)));
  }
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    auto& worker = workers_[w];
    worker.id = static_cast<int>(w);
    worker.rule = configured_.strategy->worker();
    worker.rule->begin(initial);
    worker.times = std::make_unique<RandomStream>(settings.seed, 1'000 + w);
    worker.parameters = worker.pulled = initial;
    worker.gradient = worker.push = zeros(sizes_of(initial));
    worker.bases.assign(initial.size(), 0);
    worker.pulled_versions = worker.bases;
  }
}

void Simulation::add_server(const Layers& initial, std::size_t first, std::size_t count) {
  const auto from = initial.begin() + static_cast<std::ptrdiff_t>(first);
  Layers own(from, from + static_cast<std::ptrdiff_t>(count));
  SimulatedServer server;
  server.first = first;
  for (const auto& layer : own) server.bytes += 4.0 * static_cast<double>(layer.size());
  server.core = std::make_unique<ServerCore>(*configured_.strategy, std::move(own),
                                             settings_.workers, configured_.staleness_bound);
  servers_.push_back(std::move(server));
}

double Simulation::batch_seconds(SimulatedWorker& worker) const {
  const auto& c = settings_.cluster;
  const double nodes = settings_.group_size;
  const double mean = c.overhead + c.per_sample * static_cast<double>(settings_.batch) / nodes;
  double slowest = 0;
  for (int node = 0; node < settings_.group_size; ++node) {
    double time = mean * (c.sigma > 0 ? std::exp(c.sigma * worker.times->normal()) : 1.0);
    if (c.stall_chance > 0 && worker.times->uniform() < c.stall_chance) {
      time -= c.stall_mean * std::log(worker.times->uniform());
    }
    slowest = std::max(slowest, time);
  }
  double bytes = 0;
  for (const auto& server : servers_) bytes += server.bytes;
  double reduce = 0;
  if (settings_.group_size > 1) {
    reduce =
        2 * std::ceil(std::log2(nodes)) * c.latency + 2 * (nodes - 1) / nodes * bytes / c.bandwidth;
  }
  return (slowest + reduce) * worker.factor;
}

void Simulation::serve(SimulatedServer& server, double bytes, std::function<void()> what) {
  const auto& c = settings_.cluster;
  const double start = std::max(clock_.now(), server.busy_until);
  server.busy_until = start + c.service_latency + bytes / c.service_rate;
  clock_.after(server.busy_until - clock_.now(), std::move(what));
}

void Simulation::compute(SimulatedWorker& worker) {
  clock_.after(batch_seconds(worker), [this, &worker] { computed(worker); });
}

void Simulation::gradient_of(SimulatedWorker& worker) {
  const auto seed = settings_.seed * 1'000'003 + static_cast<std::uint64_t>(worker.id);
  if (!settings_.sum_in_group) {
    problem_.loss_and_gradient(worker.parameters, seed, worker.batches, settings_.batch,
                               worker.gradient);
    return;
  }
  // The nodes of a group draw what as many workers without groups would draw.
  const auto nodes = shares_.size();
  for (std::size_t node = 0; node < nodes; ++node) {
    const auto rank = static_cast<std::uint64_t>(worker.id) * nodes + node;
    problem_.loss_and_gradient(worker.parameters, settings_.seed * 1'000'003 + rank, worker.batches,
                               settings_.batch / nodes, shares_[node]);
  }
  for (std::size_t k = 0; k < worker.gradient.size(); ++k) {
    std::vector<std::span<const float>> parts;
    for (const auto& share : shares_) parts.emplace_back(share[k]);
    reduce_in_order(parts, 1 / static_cast<float>(nodes), worker.gradient[k]);
  }
}

void Simulation::computed(SimulatedWorker& worker) {
  if (worker.factor == kNever) return;  // it died on the way
  gradient_of(worker);
  ++worker.batches;
  if (!worker.rule->accumulate(worker.parameters, worker.gradient)) {
    compute(worker);
  } else if (worker.rule->pulls_first()) {
    pull(worker);
  } else {
    push(worker);
  }
}

void Simulation::keep_pulled(SimulatedWorker& worker, const SimulatedServer& server,
                             const Answer& answer) {
  for (std::size_t k = 0; k < answer.centre.size(); ++k) {
    worker.pulled[server.first + k].assign(answer.centre[k].begin(), answer.centre[k].end());
    worker.pulled_versions[server.first + k] = answer.versions[k];
  }
}

void Simulation::pull(SimulatedWorker& worker) {
  worker.open = servers_.size();
  for (auto& server : servers_) {
    clock_.after(message(0), [this, &worker, &server] {
      serve(server, server.bytes, [this, &worker, &server] {
        server.core->pull([&](const Answer& answer) { keep_pulled(worker, server, answer); });
        clock_.after(message(server.bytes), [this, &worker] {
          if (--worker.open == 0) push(worker);
        });
      });
    });
  }
}

void Simulation::push(SimulatedWorker& worker) {
  for (std::size_t k = 0; k < worker.push.size(); ++k) {
    const bool fresh = worker.rule->pulls_first();
    worker.rule->contribution(
        k, worker.parameters[k],
        fresh ? std::span<const float>(worker.pulled[k]) : std::span<const float>(),
        worker.push[k]);
  }
  const auto bases = worker.bases;
  ++worker.sequence;
  worker.open = servers_.size();
  for (auto& server : servers_) {
    clock_.after(message(server.bytes), [this, &worker, &server, bases] {
      serve(server, server.bytes, [this, &worker, &server, bases] {
        if (done_) return;
        Push push{worker.id, worker.sequence, {}, {}};
        for (std::size_t k = 0; k < server.core->versions().size(); ++k) {
          push.bases.push_back(bases[server.first + k]);
          push.values.emplace_back(worker.push[server.first + k]);
        }
        server.core->check(push);
        if (&server == &servers_.back()) ++updates_;
        server.core->push(push, [this, &worker, &server](const Answer& answer) {
          const bool bare = worker.rule->pulls_first();
          if (!bare) keep_pulled(worker, server, answer);
          clock_.after(message(bare ? 0 : server.bytes), [this, &worker] {
            if (--worker.open == 0) answered(worker);
          });
        });
        if (&server == &servers_.back()) evaluate();
      });
    });
  }
}

void Simulation::answered(SimulatedWorker& worker) {
  for (std::size_t k = 0; k < worker.push.size(); ++k) {
    worker.rule->receive(k, worker.parameters[k], worker.pulled[k]);
  }
  worker.bases = worker.pulled_versions;
  if (worker.rule->pulls_first()) {
    for (auto& base : worker.bases) ++base;  // its own push came on top of what it pulled
  }
  compute(worker);
}

Layers Simulation::centre() const {
  Layers all;
  for (const auto& server : servers_) {
    all.insert(all.end(), server.core->centre().begin(), server.core->centre().end());
  }
  return all;
}

void Simulation::evaluate() {
  const bool last = updates_ >= settings_.updates || clock_.now() >= settings_.seconds;
  const bool due = settings_.evaluate_every > 0 && updates_ % settings_.evaluate_every == 0;
  done_ = last;
  if (!due) return;
  result_.trace.push_back({clock_.now(), updates_, problem_.test_loss(centre())});
  if (result_.trace.back().test_loss <= settings_.target_loss) {
    result_.reached = clock_.now();
    done_ = true;
  }
}

SimulationResult Simulation::run() {
  for (const auto& fault : settings_.faults) {
    auto& worker = workers_[static_cast<std::size_t>(fault.worker)];
    clock_.after(fault.from, [&worker, &fault] { worker.factor = fault.slower; });
    if (fault.noticed < 1e30) {
      clock_.after(fault.noticed, [this, &worker] {
        for (auto& server : servers_) server.core->leave(worker.id);
      });
    }
  }
  for (auto& worker : workers_) compute(worker);
  while (!done_ && clock_.now() < settings_.seconds && clock_.step()) {
  }
  result_.seconds = std::min(clock_.now(), settings_.seconds);
  result_.updates = updates_;
  result_.centre = centre();
  result_.test_loss = problem_.test_loss(result_.centre);
  result_.test_accuracy = problem_.test_accuracy(result_.centre);
  result_.trace.push_back({result_.seconds, updates_, result_.test_loss});
  result_.staleness_mean = servers_[0].core->staleness().mean();
  result_.staleness_max = servers_[0].core->staleness().max();
  for (const auto& worker : workers_) result_.batches.push_back(worker.batches);
  return std::move(result_);
}

}  // namespace

SimulationResult simulate(const DigitsProblem& problem, const SimulationSettings& settings) {
  return Simulation(problem, settings).run();
}

}  // namespace betatune::distributed::asynchronous
