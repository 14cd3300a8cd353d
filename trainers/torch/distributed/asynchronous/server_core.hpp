#pragma once
/// The parameter server without its sockets: some layers of the centre, the rule of each, and who
/// has pushed what. Pure: what it does is a function of the calls in their order, so a journal of
/// them restores it bit for bit, and the simulator runs the very code that serves a training.
///
/// Versions. A layer's version counts its updates. Each worker numbers its pushes to a server 1, 2,
/// 3 ...; the numbers of the last one applied, per worker, are the server's version vector. A push
/// that comes again after a lost connection has a number that is already in there: it is answered,
/// and not applied twice.
///
/// Order. Pushes are taken in the order of the calls. An answer is given at once but for two cases:
/// the rule waits for a round to complete, or the worker is ahead of the slowest by more than
/// `staleness_bound` (Ho et al. 2013, stale synchronous parallel). Reads are always answered at
/// once.
///
/// One thread at a time.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "trainers/torch/distributed/asynchronous/rule.hpp"
#include "trainers/torch/distributed/asynchronous/service.hpp"
#include "trainers/torch/distributed/asynchronous/staleness.hpp"

namespace betatune::distributed::asynchronous {

class ServerCore : public Service {
 public:
  /// centre    the layers' first weights
  /// workers   n; workers 0 to n - 1 are there from the start
  ServerCore(const Strategy& strategy, Layers centre, int workers,
             std::optional<std::uint64_t> staleness_bound = std::nullopt);

  void check(const Push& push) const override;
  void push(const Push& push, AnswerTo answer) override;
  void pull(const AnswerTo& answer) override;
  void leave(int worker) override;
  void join(int worker);
  void forget_answer(int worker) override;
  std::uint64_t last_sequence(int worker) const override;
  bool active(int worker) const override { return active_.contains(worker); }
  int workers() const override { return workers_; }
  Sizes sizes() const override { return sizes_of(centre_); }
  ServiceReport report() const override;

  const Layers& centre() const { return centre_; }
  const std::vector<std::uint64_t>& versions() const { return versions_; }
  const StalenessHistogram& staleness() const { return staleness_; }
  std::uint64_t rejected() const { return rejected_; }

  void save(Writer& out) const;
  /// errors Garbled if it is not what save() of a core with this strategy and these sizes wrote
  void load(Reader& in);

 private:
  /// An answer that is owed.
  struct Pending {
    std::uint64_t sequence = 0;
    std::uint64_t order = 0;       ///< of arrival
    std::set<std::size_t> layers;  ///< whose round is not complete
    bool accepted = true;
    AnswerTo answer;  ///< empty while the worker is not connected
  };

  void round_closed(std::size_t layer);
  void answer_those_who_may_go();
  bool too_far_ahead(int worker) const;
  Answer answer_of(std::uint64_t sequence, bool accepted, const Layers& centre) const;

  int workers_;
  std::optional<std::uint64_t> bound_;
  Layers centre_;
  std::vector<std::uint64_t> versions_;
  std::vector<std::unique_ptr<ServerRule>> rules_;
  std::map<int, std::uint64_t> sequences_;  ///< the version vector
  std::map<int, std::uint64_t> clocks_;     ///< exchanges, or the slowest's when the worker joined
  std::set<int> active_;
  std::map<int, Pending> pending_;
  std::uint64_t arrivals_ = 0;
  StalenessHistogram staleness_;
  std::uint64_t rejected_ = 0;
};

}  // namespace betatune::distributed::asynchronous
