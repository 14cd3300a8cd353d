#include "optimizer/simulate.hpp"

#include <fmt/format.h>

#include "optimizer/hash.hpp"
#include "optimizer/simulation/server.hpp"
#include "optimizer/simulation/trainer.hpp"

namespace betatune {
namespace {

using namespace simulation;

/// Once faults stop, every study must be over by then.
constexpr Monotonic kDeadline = std::chrono::seconds(4'000);
/// With more trainers the whole live state is compared after so many turns only: it is large.
constexpr std::size_t kFew = 100, kAllEvery = 5'000;

std::uint64_t hash_of_log(std::span<const Event> log) {
  Hasher hash;
  for (const Event& event : log) {
    hash.add(event.seq).add(event.at_us).add(fact_type(event.fact));
    hash.add(std::string_view(encode_fact(event.fact).dump()));
  }
  return hash.value();
}

std::string describe(const StudySpec& spec, const FaultRates& rates, std::size_t trainers) {
  return fmt::format(
      "{} trials, {} objectives, {}, {}, {} steps{}{}, {} trainers; drop {} duplicate {} slow {} "
      "partition {} "
      "trainer_crash {} hang {} server_crash {} append_fails {} torn {} fail {} diverge {} user {}",
      *spec.stopping.trials, spec.objectives.size(), spec.algorithm.searcher.name,
      spec.algorithm.scheduler.name, spec.full_budget(),
      spec.fidelity && spec.fidelity->resumable ? " resumable" : "",
      spec.resources.widths
          ? fmt::format(", {} ranks", fmt::join(spec.resources.widths->choices, " or "))
          : "",
      trainers, rates.drop, rates.duplicate, rates.slow, rates.partition, rates.trainer_crash,
      rates.hang, rates.server_crash, rates.append_fails, rates.torn_append, rates.fail,
      rates.diverge, rates.user);
}

/// In half of the runs checkpoints have contents, and about half of the trainers do not see the
/// study's folder. Under a key of its own, so that the other draws of a seed stay what they were.
struct FileDraws {
  explicit FileDraws(const SimulationOptions& options)
      : random(fold_in(root_key(options.seed), "files")),
        used(options.trainers <= kFew && random.below(2) == 0) {}

  Stream random;
  bool used;
};

TrainerSetup draw_trainer(Stream& random, std::size_t index, const StudySpec& spec) {
  TrainerSetup setup;
  setup.name = "t" + std::to_string(index);
  setup.slots = 1 + static_cast<int>(random.below(3));
  setup.step_s = 0.2 + 2.0 * random.uniform();
  setup.renames = random.below(3) == 0;
  setup.metric = spec.objective.metric;
  setup.maximize = spec.objective.goal == Goal::maximize;
  if (spec.objectives.size() > 1) setup.cost = spec.objectives[1].metric;
  setup.rates = spec.resources.widths.has_value();
  return setup;
}

/// The connections: `NAME#SESSION` is where a message goes, NAME the link that carries it.
class Wires {
 public:
  Wires(World& world, Checks& checks, const SimulationOptions& options)
      : network_(world), world_(world), checks_(checks), draws_(options) {
    if (!draws_.used) return;
    files_.emplace(fold_in(root_key(options.seed), "contents"));
    checks_.look_into(*files_);
    constexpr double kSpoil[] = {0, 0.02, 0.06};
    world_.rates.spoil = kSpoil[draws_.random.below(3)];
  }

  void build(const StudySpec& spec, const SimulationOptions& options) {
    server_ = std::make_unique<SimServer>(
        world_, checks_, spec, options.mutation,
        [this](const PeerId& to, const Message& message) { to_trainer(to, message); });
    if (files_) server_->keep(*files_);
    const std::size_t drawn = 1 + world_.random.below(4);
    const std::size_t count = options.trainers > 0 ? options.trainers : drawn;
    for (std::size_t i = 0; i < count; ++i) {
      trainers_.push_back(std::make_unique<SimTrainer>(
          world_, checks_, network_,
          with_files(draw_trainer(world_.random, i, spec), options.mutation),
          [this](const TrainerId& link, const PeerId& from, Message message) {
            network_.carry(link, [this, from, message = std::move(message)] {
              server_->receive(from, message);
            });
          }));
    }
  }
  void start() {
    server_->start();
    for (const auto& trainer : trainers_) trainer->start();
  }
  /// Trainers that do not see the study's folder; nothing where checkpoints are names only.
  std::optional<std::size_t> elsewhere() const {
    return files_ ? std::optional(elsewhere_) : std::nullopt;
  }
  const SimServer& server() const { return *server_; }
  std::size_t trainers() const { return trainers_.size(); }

 private:
  TrainerSetup with_files(TrainerSetup setup, Mutation mutation) {
    if (!files_) return setup;
    setup.files = &*files_;
    setup.elsewhere = draws_.random.below(2) == 0;
    setup.reports_early = mutation == Mutation::early_checkpoint;
    setup.trusts = mutation == Mutation::trusted_files;
    elsewhere_ += setup.elsewhere ? 1 : 0;
    return setup;
  }

  void to_trainer(const PeerId& to, const Message& message) {
    // Names after a relaunch are `tN.BOOT`; the wire is tN's.
    const std::string link = to.substr(0, to.find_first_of(".#"));
    const std::size_t index = std::stoul(link.substr(1));
    network_.carry(link, [this, index, to, message] { trainers_[index]->receive(to, message); });
  }

  Network network_;
  World& world_;
  Checks& checks_;
  FileDraws draws_;
  std::optional<StudyFiles> files_;
  std::size_t elsewhere_ = 0;
  std::unique_ptr<SimServer> server_;
  std::vector<std::unique_ptr<SimTrainer>> trainers_;
};

}  // namespace

SimulationResult simulate(const SimulationOptions& options) {
  World world(options.seed);
  Checks checks;
  if (options.trainers > kFew) {
    checks.look_at_all_every(kAllEvery);
    // Per turn of the optimizer, of which there are so many more.
    const double fewer = static_cast<double>(kFew) / static_cast<double>(options.trainers);
    world.rates.server_crash *= fewer;
    world.rates.append_fails *= fewer;
  }
  const StudySpec spec = draw_study(world.random, options);
  if (spec.resources.widths) checks.allow_widths(spec.resources.widths->choices);
  if (spec.trials.parallel) checks.allow_parallel(*spec.trials.parallel);
  Wires wires(world, checks, options);
  wires.build(spec, options);
  wires.start();
  while (!wires.server().over() && checks.violations().empty()) {
    if (world.clock.now() > kDeadline) {
      checks.broken("I7: not finished long after the last fault:" + wires.server().where());
    } else if (!world.clock.step()) {
      checks.broken("nothing happens any more:" + wires.server().where());
    }
  }
  SimulationResult result;
  result.seed = options.seed;
  result.setup = describe(spec, world.rates, wires.trainers());
  if (const auto elsewhere = wires.elsewhere()) {
    result.setup += fmt::format(" spoil {}; checkpoints with contents, {} trainers elsewhere",
                                world.rates.spoil, *elsewhere);
  }
  result.violations = checks.violations();
  result.finished = wires.server().finished();
  result.events = checks.replica().seq;
  result.trials = checks.replica().trials.size();
  result.restarts = wires.server().restarts();
  result.lost = checks.lost();
  result.travelled = checks.checkpoints_travelled();
  result.virtual_seconds = std::chrono::duration<double>(world.clock.now()).count();
  result.log = wires.server().store().read(0, 10'000'000).value();
  result.log_hash = hash_of_log(result.log);
  return result;
}

}  // namespace betatune
