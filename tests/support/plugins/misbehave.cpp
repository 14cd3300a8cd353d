// A trainer that goes wrong in the way that its config names: {"mode": "segfault"}.

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include "trainer.hpp"

namespace {

using betatune::plugin::Failure;
using betatune::plugin::Host;

volatile int sink = 0;

// Not tail-recursive: each level keeps its own buffer.
int overflow(int depth) {
  volatile char buffer[4096];
  buffer[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : overflow(depth + 1) + buffer[0];
}

class Misbehave : public betatune::plugin::Trainer {
 public:
  explicit Misbehave(Host host) : host_(host) {}

  void setup(const betatune_job& job) override {
    const std::string config = job.config_json;
    const std::size_t from = config.find(':') + 2;
    mode_ = config.substr(from, config.find('"', from) - from);
    scratch_ = job.scratch_dir;
  }

  void train(int64_t) override {
    std::fprintf(stderr, "about to %s\n", mode_.c_str());
    using Action = void (Misbehave::*)();
    const std::map<std::string, Action> actions{{"segfault", &Misbehave::segfault},
                                                {"abort", &Misbehave::abort},
                                                {"exit0", &Misbehave::exit0},
                                                {"throw", &Misbehave::throws},
                                                {"throw_int", &Misbehave::throw_int},
                                                {"overflow", &Misbehave::overflows},
                                                {"oom", &Misbehave::oom},
                                                {"garbage", &Misbehave::garbage},
                                                {"nan", &Misbehave::nan},
                                                {"text", &Misbehave::text},
                                                {"silent", &Misbehave::silent},
                                                {"endless", &Misbehave::endless},
                                                {"deaf", &Misbehave::deaf},
                                                {"fill", &Misbehave::fill},
                                                {"diverge", &Misbehave::diverge},
                                                {"close", &Misbehave::close_all},
                                                {"killed", &Misbehave::killed},
                                                {"daemon", &Misbehave::daemon},
                                                {"chatter", &Misbehave::chatter},
                                                {"litter", &Misbehave::litter},
                                                {"other", &Misbehave::other},
                                                {"kill_server", &Misbehave::kill_server}};
    (this->*actions.at(mode_))();
  }
  void save(const std::string&) override {
    if (mode_ == "nosave") throw std::runtime_error("will not save");
  }
  void load(const std::string&) override {}

 private:
  void segfault() { *reinterpret_cast<volatile int*>(sink) = 1; }
  void abort() { std::abort(); }
  void exit0() { std::exit(0); }
  void throws() { throw std::runtime_error("the data set is empty"); }
  void throw_int() { throw 42; }
  void overflows() { sink = overflow(0); }
  void oom() {
    const rlimit little{1u << 30, 1u << 30};
    ::setrlimit(RLIMIT_AS, &little);
    const std::vector<double> much(std::size_t{1} << 30);
    sink = static_cast<int>(much.size());
  }
  void garbage() { ignore(host_.report_json(1, "loss is low")); }
  void nan() { ignore(host_.report(1, {{"loss", NAN}})); }
  void text() { ignore(host_.report_json(1, "{\"loss\": \"low\"}")); }
  void silent() {}
  void endless() {
    for (;;) sink = sink + 1;
  }
  void deaf() {
    std::signal(SIGTERM, SIG_IGN);
    endless();
  }
  void fill() {
    std::ofstream file(scratch_ + "/big", std::ios::binary);
    const std::string block(1 << 16, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size()))) {
    }
    throw std::runtime_error("could not write my cache");
  }
  void diverge() { throw Failure(BETATUNE_DIVERGED, "the gradient is not finite"); }
  void close_all() {
    for (int fd = 3; fd < 256; ++fd) ::close(fd);
    ignore(host_.report(1, {{"loss", 1.0}}));
  }
  void killed() { ::raise(SIGKILL); }
  void daemon() {
    if (::fork() == 0) {
      ::setsid();
      if (::fork() == 0) ::execlp("sleep", "sleep", "600", nullptr);
      ::_exit(0);
    }
    ignore(host_.report(1, {{"loss", 1.0}}));
  }
  void chatter() {
    const std::string line(1023, 'c');
    for (int i = 0; i < 16'384; ++i) std::puts(line.c_str());
    ignore(host_.report(1, {{"loss", 1.0}}));
  }
  void litter() {
    std::ofstream(scratch_ + "/left.txt") << "left";
    segfault();
  }
  void other() { ignore(host_.report(1, {{"accuracy", 1.0}})); }
  void kill_server() {
    ::kill(::getppid(), SIGKILL);
    endless();
  }
  static void ignore(betatune::plugin::Verdict) {}

  Host host_;
  std::string mode_, scratch_;
};

}  // namespace

BETATUNE_TRAINER(Misbehave, "misbehave", "1.0");
