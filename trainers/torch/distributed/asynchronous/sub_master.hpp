#pragma once
/// A sub-master (MPILearn's `--masters N`): to its workers a parameter server, to the server above
/// a worker. It gathers the pushes of `gather` workers, sums them (or takes their mean), pushes
/// once for all and hands the answer down. So a server has fewer connections and updates to bear;
/// with `gather` = all, its workers go in step and the tree is asynchronous above them.
///
/// Only for rules whose pushes may be summed (Strategy::additive). A push's base is the oldest of
/// those in it. It keeps nothing on disk: the pushes that it had gathered when it died are sent
/// again by the workers, and those that were on their way up may count twice.

#include <map>
#include <memory>
#include <set>

#include "trainers/torch/distributed/asynchronous/channel.hpp"
#include "trainers/torch/distributed/asynchronous/registry.hpp"
#include "trainers/torch/distributed/asynchronous/service.hpp"

namespace betatune::distributed::asynchronous {

struct SubMasterSettings {
  int workers = 1;  ///< below it
  int gather = 1;   ///< 1 to workers
  bool mean = false;
};

class SubMaster : public Service {
 public:
  /// above   reaches the server above, as one of its workers; calls to it may wait
  /// errors  plugin::Failure: gather out of range, or a rule whose pushes cannot be summed
  SubMaster(const Configured& configured, const SubMasterSettings& settings, const Sizes& sizes,
            std::unique_ptr<Channel> above);

  Sizes sizes() const override { return sizes_of(centre_); }
  int workers() const override { return settings_.workers; }
  void check(const Push& push) const override;
  void push(const Push& push, AnswerTo answer) override;
  void pull(const AnswerTo& answer) override;
  void leave(int worker) override;
  void forget_answer(int worker) override;
  std::uint64_t last_sequence(int worker) const override;
  bool active(int worker) const override { return active_.contains(worker); }
  ServiceReport report() const override { return {versions_, 0, 0, rejected_, centre_}; }

 private:
  struct Held {
    std::uint64_t sequence = 0;
    std::vector<std::uint64_t> bases;
    Layers values;
    AnswerTo answer;
  };
  void push_up_if_complete();
  Answer answer_of(std::uint64_t sequence, bool accepted) const;

  SubMasterSettings settings_;
  std::unique_ptr<Channel> above_;
  Layers centre_, sum_;
  std::vector<std::uint64_t> versions_;
  std::map<int, std::uint64_t> sequences_;
  std::set<int> active_;
  std::map<int, Held> held_;  ///< by worker, so that sums do not depend on the order of arrival
  std::uint64_t rejected_ = 0;
};

}  // namespace betatune::distributed::asynchronous
