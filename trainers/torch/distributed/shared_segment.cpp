#include "trainers/torch/distributed/shared_segment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace betatune::distributed {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint64_t kMagic = 0x62657461'67616e67u;  // also the version of this layout
constexpr int kSpins = 400;  ///< some microseconds: a rank that is about to come is not slept for
constexpr milliseconds kLook{50};  ///< between two looks at whether the others live
constexpr milliseconds kPoll{2};   ///< for the rendezvous file

std::string system_error(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

std::string seconds(milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", 1e-3 * static_cast<double>(time.count()));
  return text;
}

// std::atomic::wait neither works between processes nor ends in time.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, milliseconds limit) {
  const timespec time{limit.count() / 1000, (limit.count() % 1000) * 1'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &time, nullptr, 0);
}

}  // namespace

static_assert(sizeof(std::atomic<std::uint32_t>) == 4 &&
              std::atomic<std::uint32_t>::is_always_lock_free);

void SharedCounter::raise_to(std::uint32_t target) {
  value.store(target);  // sequentially consistent with the sleeper's increment below
  if (sleepers.load() != 0) syscall(SYS_futex, &value, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

struct alignas(64) SharedSegment::Lane {
  SharedCounter arrived, progress;
  std::atomic<std::uint64_t> doing[2];
  std::atomic<std::int32_t> process;
};

struct alignas(64) SharedSegment::Header {
  std::uint64_t magic;
  std::atomic<std::uint32_t> aborted;  ///< 0 no, 1 the text is being written, 2 yes
  std::atomic<std::int32_t> failure_class;
  char reason[500];
};

SharedSegment::SharedSegment(const World& world, const std::string& path, std::size_t data_bytes)
    : world_(world),
      data_bytes_(data_bytes),
      bytes_(sizeof(Header) + static_cast<std::size_t>(world.size) * sizeof(Lane) + data_bytes) {
  if (world_.rank == 0) {
    create(path);
  } else {
    open_existing(path);
  }
  take_lock();
  meet(path);
}

SharedSegment::~SharedSegment() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
  if (descriptor_ >= 0) close(descriptor_);  // which also releases the lock
}

SharedSegment::Lane& SharedSegment::lane(int rank) const {
  return reinterpret_cast<Lane*>(memory_ + sizeof(Header))[rank];
}
SharedCounter& SharedSegment::progress(int rank) const {
  return lane(rank).progress;
}
std::atomic<std::uint64_t>& SharedSegment::doing(int rank, std::size_t parity) const {
  return lane(rank).doing[parity];
}

void SharedSegment::map(int descriptor) {
  descriptor_ = descriptor;
  void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) {
    throw CommunicationError(BETATUNE_OOM, system_error("cannot map the ranks' shared memory"));
  }
  memory_ = static_cast<std::byte*>(at);
  data_ = memory_ + bytes_ - data_bytes_;
}

void SharedSegment::create(const std::string& path) {
  const int descriptor = memfd_create("betatune-gang", MFD_CLOEXEC);
  if (descriptor < 0 || ftruncate(descriptor, static_cast<off_t>(bytes_)) != 0) {
    throw CommunicationError(BETATUNE_INFRA, system_error("cannot make the ranks' shared memory"));
  }
  map(descriptor);
  reinterpret_cast<Header*>(memory_)->magic = kMagic;
  // Under its own name only when it is whole; link() refuses a name that is taken.
  const std::string draft = path + "." + std::to_string(getpid());
  std::ofstream(draft) << getpid() << ' ' << descriptor << ' ' << world_.size << ' ' << bytes_
                       << '\n';
  const bool published = link(draft.c_str(), path.c_str()) == 0;
  const std::string error = system_error("rank 0 cannot make the rendezvous file " + path);
  unlink(draft.c_str());
  if (!published) {
    throw CommunicationError(BETATUNE_INFRA, error + "; each attempt needs a fresh one");
  }
}

void SharedSegment::open_existing(const std::string& path) {
  const auto deadline = Clock::now() + world_.timeout;
  std::int64_t process = 0, descriptor = 0, size = 0;
  std::size_t bytes = 0;
  while (true) {
    std::ifstream file(path);
    if (file >> process >> descriptor >> size >> bytes) break;
    if (Clock::now() > deadline) {
      throw CommunicationError(BETATUNE_INFRA, "rank 0 did not arrive at the rendezvous within " +
                                                   seconds(world_.timeout) + ": there is no file " +
                                                   path);
    }
    std::this_thread::sleep_for(kPoll);
  }
  if (size != world_.size || bytes != bytes_) {
    throw CommunicationError(BETATUNE_ERROR,
                             "rank " + std::to_string(world_.rank) + " is of a world of " +
                                 std::to_string(world_.size) + " ranks, rank 0 of one of " +
                                 std::to_string(size) + " (or of another version of this program)");
  }
  const std::string where =
      "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
  const int opened = open(where.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0) {
    throw CommunicationError(BETATUNE_INFRA,
                             system_error("rank 0 (process " + std::to_string(process) +
                                          ") has died, or its memory cannot be opened: " + where));
  }
  map(opened);
  if (reinterpret_cast<Header*>(memory_)->magic != kMagic) {
    throw CommunicationError(BETATUNE_INFRA, where + " of rank 0 is not this gang's memory");
  }
}

void SharedSegment::take_lock() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = world_.rank;
  lock.l_len = 1;
  if (fcntl(descriptor_, F_OFD_SETLK, &lock) == 0) return;
  throw CommunicationError(BETATUNE_ERROR, system_error("a second process says that it is rank " +
                                                        std::to_string(world_.rank)));
}

bool SharedSegment::alive(int rank) const {
  if (rank == world_.rank) return true;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = rank;
  lock.l_len = 1;
  return fcntl(descriptor_, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

void SharedSegment::meet(const std::string& path) {
  lane(world_.rank).process = static_cast<std::int32_t>(getpid());
  lane(world_.rank).arrived.raise_to(1);
  const auto deadline = Clock::now() + world_.timeout;
  for (int rank = 0; rank < world_.size; ++rank) {
    SharedCounter& arrived = lane(rank).arrived;
    while (!arrived.reached(1)) {
      throw_if_aborted();
      if (Clock::now() > deadline) {
        std::string missing;
        for (int other = rank; other < world_.size; ++other) {
          if (lane(other).arrived.reached(1)) continue;
          missing += (missing.empty() ? "" : ", ") + std::to_string(other);
        }
        if (world_.rank == 0) unlink(path.c_str());
        fail(BETATUNE_INFRA, "rank(s) " + missing + " of " + std::to_string(world_.size) +
                                 " did not arrive at the rendezvous " + path + " within " +
                                 seconds(world_.timeout));
      }
      arrived.sleepers.fetch_add(1);
      futex_wait(arrived.value, 0, kLook);
      arrived.sleepers.fetch_sub(1);
    }
  }
  if (world_.rank == 0) unlink(path.c_str());
}

void SharedSegment::wait(SharedCounter& counter, std::uint32_t target, int rank,
                         const std::function<std::string()>& on_timeout) {
  for (int i = 0; i < kSpins; ++i) {
    if (counter.reached(target)) return;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  const auto deadline = Clock::now() + world_.timeout;
  while (true) {
    counter.sleepers.fetch_add(1);
    const std::uint32_t seen = counter.value.load();
    const bool there = static_cast<std::int32_t>(seen - target) >= 0;
    if (!there) futex_wait(counter.value, seen, kLook);
    counter.sleepers.fetch_sub(1);
    if (counter.reached(target)) return;
    throw_if_aborted();
    // In this order: a rank may have done its part and ended since.
    if (!alive(rank) && !counter.reached(target)) {
      fail(BETATUNE_INFRA, "rank " + std::to_string(rank) + " (process " +
                               std::to_string(lane(rank).process.load()) + ") has died or ended");
    }
    if (Clock::now() > deadline) fail(BETATUNE_INFRA, on_timeout());
  }
}

void SharedSegment::abort(const std::string& reason, std::int32_t failure_class) {
  auto* header = reinterpret_cast<Header*>(memory_);
  std::uint32_t none = 0;
  if (!header->aborted.compare_exchange_strong(none, 1)) return;
  const std::string text = "rank " + std::to_string(world_.rank) + " gave up: " + reason;
  const auto length = std::min(text.size(), sizeof header->reason - 1);
  std::memcpy(header->reason, text.data(), length);
  header->reason[length] = '\0';
  header->failure_class = failure_class;
  header->aborted.store(2);
}

void SharedSegment::fail(std::int32_t failure_class, const std::string& reason) {
  abort(reason, failure_class);
  throw CommunicationError(failure_class, reason);
}

void SharedSegment::throw_if_aborted() const {
  auto* header = reinterpret_cast<Header*>(memory_);
  if (header->aborted.load() != 2) return;
  throw CommunicationError(header->failure_class, header->reason);
}

}  // namespace betatune::distributed
