// Starts a thread while it is loaded, as some numeric libraries do: its attempts cannot be forks.

#include <atomic>
#include <stdexcept>
#include <thread>

#include "trainer.hpp"

namespace {

std::atomic<int> beats{0};

struct Heart {
  Heart() {
    std::thread([] {
      for (;;) {
        ++beats;
        std::this_thread::yield();
      }
    }).detach();
  }
} heart;

class Threaded : public betatune::plugin::Trainer {
 public:
  explicit Threaded(betatune::plugin::Host host) : host_(host) {}
  void setup(const betatune_job&) override {}
  void train(int64_t step) override {
    // Only where the thread lives does the count go on.
    const int before = beats;
    while (beats == before) std::this_thread::yield();
    if (host_.report(step, {{"loss", 1.0}}) != betatune::plugin::Verdict::go_on) return;
  }
  void save(const std::string&) override {}
  void load(const std::string&) override {}

 private:
  betatune::plugin::Host host_;
};

}  // namespace

BETATUNE_TRAINER(Threaded, "threaded", "1.0");
