// Updates per second of one parameter server over sockets, with workers that compute nothing: each
// pushes a gradient and gets the weights, again and again. Beside it the same bytes, both ways,
// over the same kind of socket with nothing done to them: the most that a loopback carries.
//
//   ninja -C build bench_ps_updates && build/bin/bench_ps_updates [seconds per row] [tcp|unix]
//
// The peer is mpi_learn_master.py beside this file, with the same layers and workers.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <unistd.h>
#include <vector>

#include "trainers/torch/distributed/asynchronous/socket_link.hpp"
#include "trainers/torch/distributed/asynchronous/socket_server.hpp"
#include "trainers/torch/distributed/asynchronous/worker.hpp"

namespace {

using namespace betatune::distributed::asynchronous;

/// The best of so many windows is shown: on a machine with other work it is the least disturbed
/// one.
constexpr int kWindows = 6;

double now() {
  return std::chrono::duration<double>(SteadyClock::now().time_since_epoch()).count();
}

std::string address(const std::string& kind) {
  if (kind == "tcp") return "tcp://127.0.0.1:0";
  const auto file = std::filesystem::temp_directory_path() / "betatune-bench-ps";
  return "unix://" + file.string() + std::to_string(::getpid());
}

Layers model(const Sizes& sizes) {
  Layers layers;
  for (const auto size : sizes) layers.emplace_back(size, 0.5f);
  return layers;
}

/// Pushes per second that `workers` threads get out of a server of its own.
double updates(const Sizes& sizes, int workers, const std::string& json, const std::string& kind,
               const std::string& journal, double seconds) {
  SocketServerSettings settings;
  settings.address = address(kind);
  settings.strategy = json;
  settings.workers = workers;
  if (!journal.empty()) settings.journal = JournalSettings{journal, false, 0};
  ServerThread server(settings, model(sizes));
  const auto configured = read_strategy(json, workers);
  // What is counted begins when every worker has made two updates: memory is there, pages are warm.
  std::atomic<bool> stop{false};
  std::atomic<int> warm{0};
  std::atomic<std::uint64_t> done{0};
  std::vector<std::future<void>> running;
  for (int rank = 0; rank < workers; ++rank) {
    running.push_back(std::async(std::launch::async, [&, rank] {
      std::vector<std::unique_ptr<Link>> links;
      links.push_back(std::make_unique<SocketLink>(
          SocketLinkSettings{server.address(), rank, configured.identity, sizes}));
      Worker worker(
          *configured.strategy,
          std::make_unique<Channel>(std::move(links), std::vector<std::size_t>(sizes.size(), 0)));
      Layers parameters = model(sizes), gradient = model(sizes);
      worker.start(parameters);
      for (int step = 0; !stop; ++step) {
        worker.step(parameters, gradient);
        ++done;
        if (step == 1) ++warm;
      }
      worker.leave();
    }));
  }
  while (warm < workers) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  double rate = 0;
  for (int window = 0; window < kWindows; ++window) {
    const std::uint64_t before = done;
    const double start = now();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds / kWindows));
    rate = std::max(rate, static_cast<double>(done - before) / (now() - start));
  }
  stop = true;
  for (auto& worker : running) worker.get();
  return rate;
}

/// Round trips per second of `bytes` both ways, one connection.
double copies(std::size_t bytes, const std::string& kind, double seconds) {
  const Listener listener = listen_at(address(kind));
  const auto deadline = SteadyClock::now() + std::chrono::hours(1);
  std::atomic<bool> stop{false};
  auto echo = std::async(std::launch::async, [&] {
    Socket socket;
    while (!socket) socket = accept_from(listener.socket);
    std::vector<std::byte> buffer(bytes);
    try {
      while (true) {
        receive_all(socket, {{buffer.data(), bytes}}, deadline);
        send_all(socket, {{buffer.data(), bytes}}, deadline);
      }
    } catch (const ConnectionLost&) {
    }
  });
  double rate = 0;
  {
    const Socket socket = connect_to(listener.address, deadline);
    std::vector<std::byte> buffer(bytes);
    for (int window = 0; window < kWindows; ++window) {
      const double start = now();
      std::uint64_t done = 0;
      for (; now() - start < seconds / kWindows; ++done) {
        send_all(socket, {{buffer.data(), bytes}}, deadline);
        receive_all(socket, {{buffer.data(), bytes}}, deadline);
      }
      rate = std::max(rate, static_cast<double>(done) / (now() - start));
    }
  }
  echo.get();
  return rate;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  const std::string kind = argc > 2 ? argv[2] : "unix";
  // The layers of an LSTM of 64 units over 19 features with 3 classes; an MLP; a large one.
  struct Model {
    const char* name;
    Sizes sizes;
  };
  const Model models[] = {
      {"lstm-64", {19 * 256, 64 * 256, 256, 64 * 3, 3}},
      {"mlp-300x5", {28 * 300, 300, 90'000, 300, 90'000, 300, 90'000, 300, 90'000, 300, 300, 1}},
      {"25M", {5'000'000, 5'000'000, 5'000'000, 5'000'000, 5'000'000}},
  };
  std::printf("%s sockets, %.0f s per row\n%-10s %8s %-24s %12s %10s\n", kind.c_str(), seconds,
              "model", "workers", "what", "updates/s", "MB/s");
  for (const auto& [name, sizes] : models) {
    std::size_t values = 0;
    for (const auto size : sizes) values += size;
    const auto row = [&, name = name](int workers, const char* what, double rate) {
      std::printf("%-10s %8d %-24s %12.1f %10.0f\n", name, workers, what, rate,
                  rate * 8e-6 * static_cast<double>(values));
      std::fflush(stdout);
    };
    row(1, "copy, nothing done", copies(4 * values, kind, seconds));
    for (const int workers : {1, 2, 4, 8}) {
      if (values > 1'000'000 && workers > 2) continue;
      row(workers, "downpour",
          updates(sizes, workers, R"({"strategy": "downpour"})", kind, "", seconds));
    }
    row(2, "gem", updates(sizes, 2, R"({"strategy": "gem"})", kind, "", seconds));
    const auto folder = std::filesystem::temp_directory_path() /
                        ("betatune-bench-journal" + std::to_string(::getpid()));
    row(2, "downpour, journal",
        updates(sizes, 2, R"({"strategy": "downpour"})", kind, folder.string(), seconds));
    std::filesystem::remove_all(folder);
  }
  return 0;
}
