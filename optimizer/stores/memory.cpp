/// A log in memory: for tests, simulations and `ask-tell --memory`. Nothing survives the object.

#include <algorithm>

#include "optimizer/store.hpp"

namespace betatune {
namespace {

class MemoryStore : public StudyStore {
 public:
  Status append(Sequence expected, std::span<const Event> events,
                std::span<const std::int64_t> taken) override {
    if (expected != events_.size()) {
      return Error{ErrorKind::conflict, "the log has " + std::to_string(events_.size()) +
                                            " events, not " + std::to_string(expected) +
                                            ": another optimizer has written to it"};
    }
    for (std::size_t i = 0; i < events.size(); ++i)
      BETATUNE_ASSERT(events[i].seq == expected + i + 1);
    events_.insert(events_.end(), events.begin(), events.end());
    std::erase_if(requests_, [&](const StoredRequest& request) {
      return std::find(taken.begin(), taken.end(), request.id) != taken.end();
    });
    return Ok{};
  }

  Result<std::vector<Event>> read(Sequence after, std::size_t limit) const override {
    const std::size_t first = std::min<std::size_t>(after, events_.size());
    const std::size_t count = std::min(limit, events_.size() - first);
    const auto from = events_.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<Event>(from, from + static_cast<std::ptrdiff_t>(count));
  }

  Result<std::uint64_t> begin_epoch() override { return ++epoch_; }

  Result<std::vector<StoredRequest>> requests() const override { return requests_; }

  Status add_request(const std::string& kind, const Json& body) override {
    requests_.push_back(StoredRequest{++last_request_, kind, body});
    return Ok{};
  }

 private:
  std::vector<Event> events_;
  std::vector<StoredRequest> requests_;
  std::int64_t last_request_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace

std::unique_ptr<StudyStore> make_memory_store() {
  return std::make_unique<MemoryStore>();
}

}  // namespace betatune
