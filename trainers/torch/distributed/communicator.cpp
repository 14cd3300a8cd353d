#include "trainers/torch/distributed/communicator.hpp"

#include <ATen/ATen.h>
#include <algorithm>
#include <cstring>

#include "trainers/torch/distributed/backends.hpp"

namespace betatune::distributed {
namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw CommunicationError(BETATUNE_ERROR, text);
}

/// FNV-1a: equal on all machines.
std::int64_t hash_of(const std::vector<std::string>& lines) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u; };
  for (const auto& line : lines) {
    for (const char c : line) add(c);
    add('\0');
  }
  return static_cast<std::int64_t>(hash);
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\0', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Backend chosen(Backend backend, const World& world) {
  if (backend != Backend::automatic) return backend;
  if (world.on_gpu) return Backend::nccl;  // the others copy nothing to the CPU and back
  const auto kind = parse_rendezvous(world.rendezvous).kind;
  return kind == Rendezvous::Kind::file ? Backend::shared_memory : Backend::gloo;
}

std::unique_ptr<Communicator> make(Backend backend, const World& world) {
  switch (chosen(backend, world)) {
    case Backend::gloo:
      return make_gloo(world);
    case Backend::nccl:
      return make_nccl(world);
    case Backend::automatic:
    case Backend::shared_memory:
      break;
  }
  return make_shared_memory(world);
}

}  // namespace

at::Device Communicator::device() const {
  return at::kCPU;
}

void Communicator::all_reduce(const at::Tensor& tensor, Reduction reduction) {
  start_all_reduce(tensor, reduction)->wait();
}
void Communicator::broadcast(const at::Tensor& tensor, int root) {
  start_broadcast(tensor, root)->wait();
}
void Communicator::all_gather(const at::Tensor& output, const at::Tensor& input) {
  start_all_gather(output, input)->wait();
}
void Communicator::reduce_scatter(const at::Tensor& output, const at::Tensor& input,
                                  Reduction reduction) {
  start_reduce_scatter(output, input, reduction)->wait();
}
void Communicator::send(const at::Tensor& tensor, int to) {
  start_send(tensor, to)->wait();
}
void Communicator::receive(const at::Tensor& tensor, int from) {
  start_receive(tensor, from)->wait();
}

void Communicator::barrier() {
  const auto one = at::ones({1}, at::dtype(at::kInt).device(device()));
  all_reduce(one, Reduction::sum);
  // On a GPU only looking at the result waits for it.
  if (const int count = one.item<int>(); count != size()) {
    refuse("a barrier of " + std::to_string(size()) + " ranks was passed by " +
           std::to_string(count));
  }
}

std::vector<std::string> Communicator::gather_texts(const std::string& mine) {
  const auto ranks = static_cast<std::size_t>(size());
  const auto options = at::dtype(at::kLong);
  const auto lengths = at::empty({size()}, options.device(device()));
  all_gather(lengths, at::full({1}, static_cast<std::int64_t>(mine.size()), options).to(device()));
  const auto length = lengths.to(at::kCPU);
  const std::int64_t longest = length.max().item<std::int64_t>();
  if (longest == 0) return std::vector<std::string>(ranks);
  auto text = at::zeros({longest}, at::kByte);
  std::memcpy(text.data_ptr(), mine.data(), mine.size());
  const auto gathered = at::empty({size(), longest}, at::dtype(at::kByte).device(device()));
  all_gather(gathered, text.to(device()));
  const auto bytes = gathered.to(at::kCPU);
  std::vector<std::string> texts;
  for (int rank = 0; rank < size(); ++rank) {
    texts.emplace_back(static_cast<const char*>(bytes.data_ptr()) + rank * longest,
                       static_cast<std::size_t>(length[rank].item<std::int64_t>()));
  }
  return texts;
}

void Communicator::sum(std::vector<double>& values) {
  if (values.empty()) return;
  const auto count = static_cast<std::int64_t>(values.size());
  const auto here = at::from_blob(values.data(), {count}, at::kDouble);
  const auto there = here.to(device());
  all_reduce(there, Reduction::sum);
  here.copy_(there);
}

bool has_backend(Backend backend) {
  if (backend == Backend::gloo) return kHasGloo;
  if (backend == Backend::nccl) return kHasNccl;
  return true;
}

std::unique_ptr<Communicator> make_communicator(Backend backend, const World& world,
                                                const std::string& version) {
  check_world(world);
  // One rank needs nobody.
  const bool nowhere = world.rendezvous.empty() && backend != Backend::nccl;
  if (world.size == 1 && (backend == Backend::automatic || nowhere)) return make_alone(world);
  auto communicator = make(backend, world);
  check_agreement(*communicator, "version", {version});
  return communicator;
}

void check_agreement(Communicator& communicator, const std::string& what,
                     const std::vector<std::string>& lines) {
  const std::vector<std::string> hashes = communicator.gather_texts(std::to_string(hash_of(lines)));
  if (std::all_of(hashes.begin(), hashes.end(), [&](auto& h) { return h == hashes[0]; })) return;
  std::string mine;
  for (const auto& line : lines) mine += line + '\0';
  const std::vector<std::string> all = communicator.gather_texts(mine);
  const std::vector<std::string> first = split(all[0]);
  // Every rank finds the same, so all of them end with the same words.
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    const std::vector<std::string> other = split(all[rank]);
    const auto differs = std::mismatch(first.begin(), first.end(), other.begin(), other.end());
    const auto at = differs.first - first.begin();
    if (differs.first == first.end() && differs.second == other.end()) continue;
    const auto line = [](auto it, const auto& list) {
      return it == list.end() ? std::string("missing") : '`' + *it + '`';
    };
    refuse("the ranks differ: " + what + ' ' + std::to_string(at + 1) + " on rank " +
           std::to_string(rank) + " is " + line(differs.second, other) + ", on rank 0 " +
           line(differs.first, first));
  }
}

void check_tensor(const char* operation, const at::Tensor& tensor, at::DeviceType device) {
  if (!tensor.defined()) refuse(std::string(operation) + " of an undefined tensor");
  if (tensor.device().type() != device) {
    refuse(std::string(operation) + " of a tensor on " + tensor.device().str() +
           ", but this backend is for tensors on " + at::Device(device).str());
  }
  if (!tensor.is_non_overlapping_and_dense()) {
    refuse(std::string(operation) + " of a tensor with gaps; call contiguous() first");
  }
}

void check_sizes(const char* operation, const at::Tensor& whole, const at::Tensor& part, int size) {
  if (whole.numel() == part.numel() * size && whole.scalar_type() == part.scalar_type()) return;
  refuse(std::string(operation) + " over " + std::to_string(size) + " ranks of a part with " +
         std::to_string(part.numel()) + " elements and a whole with " +
         std::to_string(whole.numel()) + "; the whole must be ranks x part, of the same type");
}

void check_rank(const char* operation, const World& world, int rank, bool may_be_own) {
  if (rank >= 0 && rank < world.size && (may_be_own || rank != world.rank)) return;
  refuse(std::string(operation) + " with rank " + std::to_string(rank) + " by rank " +
         std::to_string(world.rank) + " of " + std::to_string(world.size));
}

Element element_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return Element::float32;
    case at::kDouble:
      return Element::float64;
    case at::kLong:
      return Element::int64;
    case at::kInt:
      return Element::int32;
    case at::kByte:
      return Element::uint8;
    case at::kHalf:
      return Element::float16;
    case at::kBFloat16:
      return Element::bfloat16;
    default:
      refuse(std::string("tensors of type ") + at::toString(tensor.scalar_type()) +
             " are not exchanged between ranks");
  }
}

void check_reduction(const at::Tensor& tensor, Reduction reduction) {
  const Element element = element_of(tensor);
  if (reduction == Reduction::average && !is_floating(element)) {
    refuse("the average of integers (" + name_of(element) + ") over ranks; take the sum");
  }
}

std::string text_of(const char* operation, const at::Tensor& tensor) {
  return std::string(operation) + " of " + std::to_string(tensor.numel()) + " x " +
         name_of(element_of(tensor));
}

}  // namespace betatune::distributed
