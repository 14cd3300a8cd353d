#pragma once
/// A study served for real (sockets, SQLite, threads) inside a test process.

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "optimizer/server.hpp"
#include "optimizer/study_session.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune::support {

/// Counts what it is told.
class CountingObserver final : public ServerObserver {
 public:
  void on_events(std::span<const Event> events, const Coordinator&) override {
    events_.insert(events_.end(), events.begin(), events.end());
    ++batches_;
  }
  void on_tick(const Coordinator&, const std::vector<LaunchedTrainer>&) override {}
  void on_notice(const std::string& text) override { notices_.push_back(text); }
  void on_listening(const std::string& endpoint) override { endpoint_.set_value(endpoint); }

  void on_refused(const Refused& so_far) override { refused_ = so_far; }

  /// Once the study has ended.
  const Refused& refused() const { return refused_; }
  /// Waits for the socket to be bound.
  std::string endpoint() const { return bound_.get(); }
  const std::vector<Event>& events() const { return events_; }
  std::size_t batches() const { return batches_; }
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  std::vector<Event> events_;
  std::size_t batches_ = 0;
  std::vector<std::string> notices_;
  Refused refused_;
  std::promise<std::string> endpoint_;
  std::shared_future<std::string> bound_ = endpoint_.get_future().share();
};

/// A study over x in [0, 1] with `trials` trials; `more` is further YAML.
inline std::shared_ptr<const StudySpec> simple_study(const std::filesystem::path& directory,
                                                     int trials, const std::string& more = {}) {
  Diagnostics diagnostics;
  const std::string text =
      "version: 1\nstudy: {name: served, seed: 7}\nobjective: {metric: loss}\n"
      "parameters:\n  x: {type: float, min: 0, max: 1}\n"
      "stopping: {trials: " +
      std::to_string(trials) +
      "}\ntrainer: {external: true}\nstorage: {path: " + (directory / "study").string() + "}\n" +
      more;
  const ConfigNode document = ConfigNode::parse(text, "study.yaml", diagnostics);
  StudySpec spec = read_study(document, directory, diagnostics);
  if (!diagnostics.ok())
    assertion_failed("the test's study", __FILE__, __LINE__, diagnostics.render(false));
  return std::make_shared<const StudySpec>(std::move(spec));
}

/// Opens `spec` in its folder and serves it on another thread until it ends.
class ServedStudy {
 public:
  using WrapStore = std::function<std::unique_ptr<StudyStore>(std::unique_ptr<StudyStore>)>;

  /// `wrap` may put a store that fails in front of the real one.
  explicit ServedStudy(std::shared_ptr<const StudySpec> spec, const WrapStore& wrap = {}) {
    Diagnostics diagnostics;
    SessionOptions options;
    const auto bind =
        resolve_bind(spec->server.bind, study_directory(*spec), spec->server.keys.has_value());
    BETATUNE_ASSERT(bool(bind));
    if (spec->server.keys) settings_.keys = KeyRing::open(*spec->server.keys).value();
    settings_.bind = bind.value();
    options.token = bind.value().token;
    options.rejoin_grace = Monotonic(0);
    auto session = open_session(std::move(spec), "study.yaml", options, diagnostics);
    if (!session) {
      assertion_failed("the session opens", __FILE__, __LINE__, session.error().message);
    }
    session_ = std::move(session).value();
    if (wrap) session_.store = wrap(std::move(session_.store));
  }
  ~ServedStudy() {
    if (thread_.joinable()) thread_.join();
  }
  ServedStudy(const ServedStudy&) = delete;
  ServedStudy& operator=(const ServedStudy&) = delete;

  void start() {
    thread_ = std::thread([this] {
      end_.emplace(serve(
          {*session_.coordinator, *session_.policies.searcher, *session_.store, nullptr, observer_},
          settings_));
    });
  }
  const Result<std::string>& wait() {
    if (thread_.joinable()) thread_.join();
    return *end_;
  }

  const Bind& bind() const { return settings_.bind; }
  /// As bound, once it is.
  std::string endpoint() const { return observer_.endpoint(); }
  /// After wait().
  const StudySession& session() const { return session_; }
  const CountingObserver& observer() const { return observer_; }

 private:
  ServerOptions settings_;
  StudySession session_;
  CountingObserver observer_;
  std::optional<Result<std::string>> end_;
  std::thread thread_;
};

}  // namespace betatune::support
