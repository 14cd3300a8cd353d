#include "trainers/torch/distributed/timeline.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "trainers/trainer.hpp"

namespace betatune::distributed {
namespace {

using Json = nlohmann::json;

Json name_event(const char* what, int rank, int track, const std::string& name) {
  return {{"ph", "M"}, {"pid", rank}, {"tid", track}, {"name", what}, {"args", {{"name", name}}}};
}

}  // namespace

Timeline::Timeline(int rank, std::size_t limit)
    : rank_(rank),
      limit_(limit),
      to_system_clock_(std::chrono::system_clock::now().time_since_epoch() -
                       Clock::now().time_since_epoch()) {}

void Timeline::add(Track track, std::string name, Clock::time_point begin, Clock::time_point end,
                   std::vector<std::pair<std::string, double>> details) {
  if (events_.size() >= limit_) {
    ++dropped_;
    return;
  }
  events_.push_back({track, std::move(name), begin, end, std::move(details)});
}

std::string Timeline::events_json() const {
  std::string text = name_event("process_name", rank_, 0, "rank " + std::to_string(rank_)).dump();
  for (const auto track : {Track::compute, Track::exchange}) {
    const char* name = track == Track::compute ? "compute" : "exchange";
    text += ",\n" + name_event("thread_name", rank_, static_cast<int>(track), name).dump();
  }
  using Microseconds = std::chrono::duration<double, std::micro>;
  for (const auto& event : events_) {
    Json json = {{"ph", "X"},
                 {"pid", rank_},
                 {"tid", static_cast<int>(event.track)},
                 {"name", event.name},
                 {"ts", Microseconds(event.begin.time_since_epoch() + to_system_clock_).count()},
                 {"dur", Microseconds(event.end - event.begin).count()}};
    for (const auto& [key, value] : event.details) json["args"][key] = value;
    text += ",\n" + json.dump();
  }
  return text;
}

void write_trace(const std::string& path, const std::vector<std::string>& ranks) {
  std::ofstream file(path);
  file << "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  for (std::size_t i = 0; i < ranks.size(); ++i) file << (i == 0 ? "" : ",\n") << ranks[i];
  file << "\n]}\n";
  if (!file.flush()) {
    throw plugin::Failure(BETATUNE_INFRA, "the timeline cannot be written to " + path);
  }
}

}  // namespace betatune::distributed
