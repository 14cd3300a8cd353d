// A trainer of several ranks, of which one goes wrong in the way that the params name: {"mode": M,
// "rank": R}. Two steps go well everywhere; then rank R does as it is told, and the others wait for
// it as ranks do that want its gradients. With {"group_size": N} the ranks form groups of as many,
// and the ranks of other groups than R's do not wait for it.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include "rank_groups.h"
#include "trainer.hpp"

namespace {

using betatune::plugin::Failure;
using betatune::plugin::Host;
using betatune::plugin::Verdict;

std::string field(const std::string& json, const std::string& name) {
  const std::size_t at = json.find('"' + name + "\":");
  if (at == std::string::npos) return "";
  const std::size_t from = json.find_first_not_of("\" ", at + name.size() + 3);
  return json.substr(from, json.find_first_of("\",}", from) - from);
}

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "-";
}

class Gang : public betatune::plugin::Trainer {
 public:
  explicit Gang(Host host) : host_(host) {}

  void setup(const betatune_job& job) override {
    rank_ = job.rank;
    mode_ = field(job.params_json, "mode");
    bad_ = std::to_string(rank_) == field(job.params_json, "rank");
    std::printf("rank %d of %d, %d cpus, RANK=%s WORLD_SIZE=%s CUDA=%s, timeout %lld, at %s\n",
                rank_, job.world_size, job.cpus, environment("RANK"), environment("WORLD_SIZE"),
                environment("CUDA_VISIBLE_DEVICES"), static_cast<long long>(job.rank_timeout_ms),
                job.rendezvous);
    if (mode_ == "setup" && bad_) throw std::runtime_error("no data here");
    const std::string group_size = field(job.params_json, "group_size");
    if (!group_size.empty()) declare_groups(job, std::stoi(group_size));
  }

  void train(int64_t until) override {
    while (step_ < until) {
      const int64_t next = step_ + 1;
      if (next == 3) misbehave();
      if (mode_ == "early" && bad_ && next == 3) return;
      const int64_t said = mode_ == "skew" && bad_ && next == 3 ? 4 : next;
      if (mode_.rfind("slow", 0) == 0) ::usleep(20'000);
      const double loss = rank_ == 0 ? 1.0 / static_cast<double>(next) : -1;
      const Verdict verdict = host_.report(said, {{"loss", loss}});
      step_ = next;
      if (verdict == Verdict::go_on) continue;
      std::printf("rank %d ends at step %lld\n", rank_, static_cast<long long>(step_));
      return;
    }
    if (mode_ == "late" && bad_) ::sleep(60);
  }

  void save(const std::string& folder) override {
    std::ofstream(folder + "/rank-" + std::to_string(rank_)) << step_;
  }
  void load(const std::string& folder) override {
    std::ifstream file(folder + "/rank-" + std::to_string(rank_)), first(folder + "/rank-0");
    if (!(file >> step_) && !(groups_ && first >> step_)) {
      throw std::runtime_error("nothing of this rank in " + folder);
    }
    std::printf("rank %d goes on at step %lld\n", rank_, static_cast<long long>(step_));
  }

 private:
  void declare_groups(const betatune_job& job, int group_size) {
    std::vector<int32_t> group_of;
    for (int rank = 0; rank < job.world_size; ++rank) group_of.push_back(rank / group_size);
    const auto* groups =
        static_cast<const betatune_rank_groups*>(host_.extension(BETATUNE_RANK_GROUPS));
    if (groups == nullptr) throw std::runtime_error("the host knows of no groups");
    if (groups->declare(host_.ctx(), group_of.data(), job.world_size + 1) == BETATUNE_OK) {
      throw std::runtime_error("one group too many was taken");
    }
    if (groups->declare(host_.ctx(), group_of.data(), job.world_size) != BETATUNE_OK) {
      throw std::runtime_error("the groups were refused");
    }
    groups_ = true;
    elsewhere_ = rank_ / group_size != std::stoi(field(job.params_json, "rank")) / group_size;
  }

  void misbehave() {
    std::fflush(stdout);
    if (elsewhere_) return;
    if ((mode_ == "killed" || mode_ == "slow-killed") && bad_) ::raise(SIGKILL);
    if ((mode_ == "stopped" || mode_ == "slow-stopped") && bad_) ::raise(SIGSTOP);
    if (mode_ == "segfault" && bad_) ::raise(SIGSEGV);
    if (mode_ == "exit0" && bad_) ::exit(0);
    if (mode_ == "fail" && bad_) throw Failure(BETATUNE_OOM, "no memory for this layer");
    if (mode_ == "lost" && bad_) throw Failure(BETATUNE_INFRA, "no answer from the next rank");
    // What a rank sees of another's death.
    if (mode_ == "killed") throw Failure(BETATUNE_ERROR, "connection closed by peer");
    const bool waits = mode_ == "stopped" || mode_ == "segfault" || mode_ == "exit0" ||
                       mode_ == "fail" || mode_ == "lost" || mode_ == "slow-stopped" ||
                       mode_ == "slow-killed";
    if (waits) ::sleep(60);
  }

  Host host_;
  std::string mode_;
  int rank_ = 0;
  bool bad_ = false;
  bool groups_ = false;
  bool elsewhere_ = false;  ///< in another group than the rank that goes wrong
  int64_t step_ = 0;
};

}  // namespace

BETATUNE_TRAINER(Gang, "gang", "1.0");
