#pragma once
/// The parameter servers of one training, in threads of its ranks, and how a worker reaches them:
/// straight, or by way of a sub-master that has the workers below it go in step (sub_master.hpp).
/// Sub-master m is in rank m, and worker w below sub-master w % sub_masters.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/channel.hpp"
#include "trainers/torch/distributed/asynchronous/socket_server.hpp"
#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {

class ServerTree {
 public:
  struct Options {
    std::string strategy_json;
    int servers = 1;
    int hosts = 1;    ///< ranks 0 to hosts - 1 have the servers, dealt out
    int workers = 1;  ///< of the training
    int worker = 0;   ///< which of them this rank is; -1: none
    int sub_masters = 0;
    bool mean = false;  ///< a sub-master pushes the mean of what it has gathered, not the sum
    std::chrono::milliseconds gone_after{30'000};  ///< see SocketServerSettings
  };

  /// Collective; the servers begin with rank 0's weights, which all ranks have.
  /// errors plugin::Failure
  ServerTree(Communicator& communicator, Options options, const asynchronous::Layers& weights);

  /// A connection of this rank's worker.
  std::unique_ptr<asynchronous::Channel> channel() const;
  /// How much a worker has asked the first server for, which takes part in all; on rank 0.
  std::uint64_t requests_of(int worker) const { return servers_.front()->requests_of(worker); }

 private:
  using Channel = asynchronous::Channel;

  void start_servers(const asynchronous::Layers& weights);
  void start_sub_master();
  /// To the servers, as one of the workers that they see.
  std::unique_ptr<Channel> to_servers(int worker) const;
  int workers_of_servers() const;
  int workers_below(int sub_master) const;
  std::string identity_for(int workers) const;

  Communicator& communicator_;
  Options options_;
  asynchronous::Sizes sizes_;
  std::vector<std::size_t> owner_;  ///< server of each layer
  std::vector<std::string> servers_at_, sub_masters_at_;
  std::vector<std::unique_ptr<asynchronous::ServerThread>> servers_;  ///< of this rank
  std::unique_ptr<asynchronous::ServerThread> sub_master_;
};

}  // namespace betatune::distributed
