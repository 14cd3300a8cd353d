/// The longest time without a beat of a trainer while a checkpoint travels: to the optimizer, and
/// back to a trial that goes on from it; and while a file that the attempt leaves behind travels,
/// whose digest nobody has given. A beat is due every 200 ms, which is the least that is measured:
/// more often, and a trainer whose processor is busy takes the optimizer for dead.
///
///     bench_travelling_pause [MIB ...]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "optimizer/worker_pool.hpp"
#include "support/trainer_bench.hpp"
#include "transport/folder_exchange.hpp"
#include "transport/folder_mark.hpp"

namespace betatune {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLimit{600};

/// Answers PUT and GET in a thread, as the optimizer does, so that beats are heard when they come.
class Desk {
 public:
  explicit Desk(const std::filesystem::path& study) : exchange_(study), thread_(1) {}

  void take(const Message& message) {
    thread_.submit([this, message] {
      std::optional<Message> answer;
      if (const auto* put = std::get_if<PutFile>(&message)) {
        if (auto stored = exchange_.put(*put)) answer = *stored;
      } else {
        answer = exchange_.get(std::get<GetFile>(message));
      }
      const std::lock_guard lock(mutex_);
      if (answer) answers_.push_back(std::move(*answer));
    });
  }
  std::vector<Message> answers() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Message> answers_;
  FolderExchange exchange_;
  WorkerPool thread_;
};

class Bench {
 public:
  explicit Bench(int mib) : mib_(mib), mark_(renew_folder_mark(bench_.folder.path()).value()) {
    test::FakeOptimizer& optimizer = *bench_.optimizer;
    optimizer.terms.beat_ms = 200;
    optimizer.on_beat = [this] {
      const auto now = Clock::now();
      longest_ = std::max(longest_, now - beat_);
      beat_ = now;
    };
    optimizer.on_file = [this](const Message& message) { desk_.take(message); };
    bench_.start(test::kTrainer, {"--own-folder", (bench_.folder / "own").string()});
  }

  void run() {
    const double saved = pause(assign(0, 1, "\"$BETATUNE_CHECKPOINT_DIR\"/model", {}));
    const double resumed = pause(assign(0, 2, "", told(0).checkpoint()));
    const double left = pause(assign(1, 1, "\"$BETATUNE_SCRATCH_DIR\"/../left", {}));
    std::printf("%5d %12.0f ms %10.0f ms %10.0f ms\n", mib_, saved, resumed, left);
    std::fflush(stdout);
  }

 private:
  const test::Told& told(std::uint64_t trial) { return bench_.optimizer->told(trial); }

  /// One that writes random bytes into this file.
  Assign assign(std::uint64_t trial, std::uint64_t attempt, const std::string& file,
                std::optional<ArtifactRef> from) const {
    const std::string writes =
        file.empty() ? "" : "head -c " + std::to_string(mib_) + "M /dev/urandom > " + file + "; ";
    Assign out = bench_.script(
        trial, writes + "echo '{\"step\": " + std::to_string(attempt) + ", \"loss\": 1}'");
    out.attempt = AttemptId{attempt};
    out.from = static_cast<Step>(attempt - 1);
    out.until = static_cast<Step>(attempt);
    out.resume_from = std::move(from);
    out.job.folder_mark = mark_;
    out.job.resumable = !file.empty();
    return out;
  }

  /// Milliseconds of the longest time between two beats until its DONE.
  double pause(const Assign& assign) {
    test::FakeOptimizer& optimizer = *bench_.optimizer;
    longest_ = {};
    optimizer.assign(assign);
    beat_ = Clock::now();
    const bool ended = optimizer.serve_until(
        [&] {
          for (Message& each : desk_.answers()) optimizer.send(std::move(each));
          return optimizer.told(assign.trial.n, assign.attempt.n).done.has_value();
        },
        kLimit);
    const Done* done = ended ? &*optimizer.told(assign.trial.n, assign.attempt.n).done : nullptr;
    if (done == nullptr || done->end != AttemptEnd::reached) {
      std::fprintf(stderr, "attempt %lu has not ended as it should: %s\n", assign.attempt.n,
                   done == nullptr ? "it runs" : done->message.c_str());
      std::exit(1);
    }
    return std::chrono::duration<double, std::milli>(longest_).count();
  }

  int mib_;
  test::TrainerBench bench_;
  std::string mark_;
  Desk desk_{bench_.folder.path()};
  Clock::time_point beat_;
  Clock::duration longest_{};
};

}  // namespace
}  // namespace betatune

int main(int argc, char** argv) {
  std::vector<int> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
  if (sizes.empty()) sizes = {64, 512, 1024};
  std::puts("  MiB   checkpoint sent    fetched   file left");
  for (const int each : sizes) betatune::Bench(each).run();
}
