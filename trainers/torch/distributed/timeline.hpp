#pragma once
/// What a rank did when, for people: events that chrome://tracing and ui.perfetto.dev draw. A rank
/// is a process there, with a track for computing and one for exchanging, so the overlap of the two
/// is there to be seen. No libtorch here.

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace betatune::distributed {

class Timeline {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Track { compute = 1, exchange = 2 };

  /// Times in the trace are of the system's clock, so that ranks of several machines fit as well as
  /// their clocks do. Events beyond `limit` are counted and not kept.
  explicit Timeline(int rank, std::size_t limit = 200'000);

  void add(Track track, std::string name, Clock::time_point begin, Clock::time_point end,
           std::vector<std::pair<std::string, double>> details = {});

  /// This rank's events: a list of JSON objects, separated by commas. Microseconds.
  std::string events_json() const;
  std::size_t size() const { return events_.size(); }
  std::size_t dropped() const { return dropped_; }

 private:
  struct Event {
    Track track;
    std::string name;
    Clock::time_point begin, end;
    std::vector<std::pair<std::string, double>> details;
  };
  int rank_;
  std::size_t limit_, dropped_ = 0;
  std::chrono::nanoseconds to_system_clock_;
  std::vector<Event> events_;
};

/// Writes a trace of the ranks' events_json().
/// errors plugin::Failure (BETATUNE_INFRA) with the path
void write_trace(const std::string& path, const std::vector<std::string>& ranks);

}  // namespace betatune::distributed
