#pragma once
/// What the ranks of a gang do together on tensors. One interface over shared memory (one machine,
/// CPUs), Gloo (several machines, CPUs) and NCCL (GPUs), so that nothing above knows which it is.
///
/// Rules of all of them:
///  1. Collective calls are made by every rank, in the same order, with equal shapes and types.
///  2. Operations that were started run in the order in which they were started; sends and receives
///     are apart from the collectives.
///  3. Nothing waits longer than World::timeout. A failed operation throws CommunicationError that
///     names the ranks that did not arrive; after it the communicator is of no more use.
///  4. For equal inputs the results are equal bit for bit, on every rank and in every run.
///  5. A Communicator is used from one thread.
/// Tensors are dense and contiguous in memory (in any order of dimensions); they are the caller's,
/// not to be touched until the operation is finished.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trainers/torch/distributed/elements.hpp"
#include "trainers/torch/distributed/work.hpp"
#include "trainers/torch/distributed/world.hpp"

namespace betatune::distributed {

class Communicator {
 public:
  using Handle = std::shared_ptr<Work>;

  explicit Communicator(World world) : world_(std::move(world)) {}
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return world_.rank; }
  int size() const { return world_.size; }
  const World& world() const { return world_; }
  virtual std::string name() const = 0;  ///< "gloo", "shared_memory" ...
  /// Where the tensors must lie.
  virtual at::Device device() const;

  /// tensor := reduction over the ranks' tensors; two-byte floats may be rounded at each addition.
  virtual Handle start_all_reduce(at::Tensor tensor, Reduction reduction) = 0;
  /// tensor := rank root's.
  virtual Handle start_broadcast(at::Tensor tensor, int root) = 0;
  /// output (size() x elements of input): the ranks' inputs one after another.
  virtual Handle start_all_gather(at::Tensor output, at::Tensor input) = 0;
  /// output := this rank's part of the reduction; input has size() x its elements and may be
  /// overwritten.
  virtual Handle start_reduce_scatter(at::Tensor output, at::Tensor input, Reduction reduction) = 0;
  /// Point to point; messages between two ranks arrive in order.
  virtual Handle start_send(at::Tensor tensor, int to) = 0;
  virtual Handle start_receive(at::Tensor tensor, int from) = 0;

  void all_reduce(const at::Tensor& tensor, Reduction reduction = Reduction::sum);
  void broadcast(const at::Tensor& tensor, int root = 0);
  void all_gather(const at::Tensor& output, const at::Tensor& input);
  void reduce_scatter(const at::Tensor& output, const at::Tensor& input,
                      Reduction reduction = Reduction::sum);
  void send(const at::Tensor& tensor, int to);
  void receive(const at::Tensor& tensor, int from);
  /// Returns when every rank has called it.
  void barrier();

  /// The texts of all ranks, by rank. Collective; texts may differ in length.
  std::vector<std::string> gather_texts(const std::string& mine);
  /// values := sums over the ranks.
  void sum(std::vector<double>& values);

  /// Sizes of the pieces in which all_reduce may send a tensor, in bytes, ascending; empty where
  /// the backend has its own way. They change its speed and not its result.
  virtual std::vector<std::size_t> pieces() const { return {}; }
  virtual std::size_t piece() const { return 0; }
  /// bytes  one of pieces(), the same on all ranks; while no operation is under way
  virtual void set_piece(std::size_t bytes) { static_cast<void>(bytes); }

  /// Makes operations that the other ranks wait in fail soon, with this reason. Not collective.
  virtual void abort(const std::string& reason) = 0;

 private:
  World world_;
};

/// Blocks until all ranks are there. `version` is compared between the ranks (a gang must run one
/// build).
/// errors CommunicationError: naming the ranks that did not come within the timeout; if the backend
/// was not compiled in; if versions differ
std::unique_ptr<Communicator> make_communicator(Backend backend, const World& world,
                                                const std::string& version = "");

/// Whether this build has it.
bool has_backend(Backend backend);

/// All ranks must have the same lines; else says which line differs on which rank. Collective;
/// costs one exchange of 8 bytes when they do.
///
/// what    of what the lines are a list, in the singular: "parameter"
/// errors  CommunicationError (BETATUNE_ERROR): "parameter 3 on rank 2 is `...`, on rank 0 `...`"
void check_agreement(Communicator& communicator, const std::string& what,
                     const std::vector<std::string>& lines);

}  // namespace betatune::distributed
