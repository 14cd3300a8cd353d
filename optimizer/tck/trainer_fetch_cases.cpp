/// Checkpoints that a trainer fetches which does not see the study's folder.

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <set>
#include <utility>

#include "optimizer/tck/file_talk.hpp"
#include "optimizer/tck/trainer_cases.hpp"
#include "searchspaces/limits.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune::tck {
namespace {

namespace fs = std::filesystem;

/// A file that the kit adds to a checkpoint, so that it has many parts.
constexpr const char* kBallast = "kit-ballast";
constexpr std::size_t kBallastParts = 20;
constexpr std::size_t kPartsOnTheWay = 8;

/// The checkpoint of a trial, with ballast, and the assignment that goes on from it.
Result<Assign> to_go_on(TrainerScript& t, FileHost& host) {
  BETATUNE_TRY(Saved saved, save(t, host));
  const fs::path folder = host.study() / saved.artifact.uri;
  std::ofstream(folder / kBallast, std::ios::binary)
      << std::string(kBallastParts * limits::kFileChunkBytes - 1, 'b');
  BETATUNE_TRY(const Seal seal, seal_folder(folder));
  saved.artifact.digest = seal.digest;
  Assign next = host.unseen(t.make_assign(saved.assign.trial, 2));
  next.from = saved.artifact.step;
  next.resume_from = saved.artifact;
  if (next.from >= next.until) return skipped("its trials are over too soon");
  return next;
}

/// Its first report, at the step behind its checkpoint's.
Status begins(TrainerScript& t, const Assign& next) {
  BETATUNE_TRY(const Report first,
               t.expect<Report>([&](const Report& each) { return is_of(next, each); }));
  return first.step == next.from + 1
             ? Status(Ok{})
             : wrong(fmt::format("it begins with step {} behind {}", first.step, next.from));
}

Status has_not_begun(const TrainerScript& t, const Assign& next) {
  const bool begun =
      std::ranges::any_of(t.reports(), [&](const Report& each) { return is_of(next, each); });
  return begun ? wrong("it trains without its checkpoint") : Status(Ok{});
}

Status goes_on(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  t.send(next);
  return begins(t, next);
}

Status begins_when_it_is_there(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.answers = false;
  t.send(next);
  BETATUNE_TRY(const bool asked, t.until([&] { return !host.gets.empty(); }));
  if (!asked) return wrong("it does not ask for its checkpoint");
  BETATUNE_CHECK(t.pass(kAWhile));
  BETATUNE_CHECK(has_not_begun(t, next));
  host.answers = true;
  return begins(t, next);
}

Status is_held_meanwhile(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.answers = false;
  t.send(next);
  BETATUNE_CHECK(t.pass(kAWhile));
  const bool held =
      std::ranges::any_of(t.beat().held, [&](const Held& each) { return is_of(next, each); });
  return held ? Status(Ok{}) : wrong("BEAT does not name an attempt whose files travel");
}

Status gets_the_list_first(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  t.send(next);
  BETATUNE_CHECK(begins(t, next));
  return host.gets.front().path == kSumsName
             ? Status(Ok{})
             : wrong("it gets " + host.gets.front().path + " first");
}

/// How an attempt ends whose checkpoint arrives like this.
Status fails_with(TrainerScript& t, const std::function<bool(FileData&)>& spoils) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.changes_data = spoils;
  t.send(next);
  BETATUNE_TRY(const Done done,
               t.expect<Done>([&](const Done& each) { return is_of(next, each); }));
  t.acknowledge(done);
  BETATUNE_CHECK(has_not_begun(t, next));
  if (done.end != AttemptEnd::failed) return wrong("it says that it went on from it");
  return done.failure == FailureClass::checkpoint
             ? Status(Ok{})
             : wrong("its DONE has another class of failure: " + done.message);
}

bool flip(FileData& data) {
  if (!data.bytes.empty()) data.bytes.back() = static_cast<char>(data.bytes.back() ^ 1);
  return true;
}

Status refuses_damage(TrainerScript& t) {
  return fails_with(t, [](FileData& data) { return data.path == kBallast ? flip(data) : true; });
}

Status refuses_another_list(TrainerScript& t) {
  return fails_with(t, [](FileData& data) { return data.path == kSumsName ? flip(data) : true; });
}

Status is_told_of_a_missing_one(TrainerScript& t) {
  return fails_with(t, [](FileData& data) {
    data.bytes.clear();
    data.size = 0;
    data.problem = "it is missing";
    return true;
  });
}

Status tries_a_second_time(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  bool spoilt = false;
  host.changes_data = [&](FileData& data) {
    return data.path == kBallast && !std::exchange(spoilt, true) ? flip(data) : true;
  };
  t.send(next);
  return begins(t, next);
}

Status parts_may_come_twice(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.copies = 2;
  t.send(next);
  return begins(t, next);
}

Status a_lost_part_is_asked_for(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  bool lost = false;
  host.changes_data = [&](const FileData& data) {
    const bool drops = data.path == kBallast && data.offset > 0;
    return !drops || std::exchange(lost, true);
  };
  t.send(next);
  return begins(t, next);
}

Status few_parts_are_on_the_way(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.changes_data = [](const FileData& data) {
    return data.path != kBallast || data.offset == 0;
  };
  t.send(next);
  BETATUNE_CHECK(t.pass(2 * kAWhile));
  std::set<std::uint64_t> unanswered;
  for (const GetFile& each : host.gets) {
    if (each.path == kBallast && each.offset > 0) unanswered.insert(each.offset);
  }
  return unanswered.size() <= kPartsOnTheWay
             ? Status(Ok{})
             : wrong(fmt::format("{} parts are on the way unanswered", unanswered.size()));
}

Status fetches_on_after_welcome(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.changes_data = [](const FileData& data) { return data.path != kBallast; };
  t.send(next);
  BETATUNE_TRY(const bool asked, t.until([&] {
    return std::ranges::any_of(host.gets, [](const GetFile& g) { return g.path == kBallast; });
  }));
  if (!asked) return wrong("it does not ask for what its list names");
  host.changes_data = nullptr;
  BETATUNE_CHECK(welcome_again(t, next));
  return begins(t, next);
}

Status ends_what_is_dropped(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Assign next, to_go_on(t, host));
  host.answers = false;
  t.send(next);
  BETATUNE_TRY(const bool asked, t.until([&] { return !host.gets.empty(); }));
  if (!asked) return wrong("it does not ask for its checkpoint");
  BETATUNE_TRY(const bool taken, t.until([&] { return t.ready().credit < t.hello().slots; }));
  if (!taken) return wrong("it offers a slot whose attempt it holds");
  t.disowned.insert(next.trial);
  BETATUNE_TRY(const bool free, t.until([&] { return t.ready().credit == t.hello().slots; }));
  if (!free) return wrong("its slot stays taken");
  host.answers = true;
  BETATUNE_CHECK(t.pass(kAWhile));
  return has_not_begun(t, next);
}

}  // namespace

std::vector<TrainerCase> trainer_fetch_cases() {
  using enum Level;
  return {
      {"T-FILES-8", must, "Files", "An attempt goes on from a checkpoint that it has fetched.",
       goes_on},
      {"T-FILES-9", must, "Files", "It does not begin before all of it is there.",
       begins_when_it_is_there},
      {"T-FILES-10", must, "Files", "Meanwhile it is held, and BEAT names it.", is_held_meanwhile},
      {"T-FILES-11", must, "Files", "The list comes first.", gets_the_list_first},
      {"T-FILES-12", must, "Files", "What arrives damaged is not loaded, and named so.",
       refuses_damage},
      {"T-FILES-13", must, "Files", "So is a list that is not the one that was reported.",
       refuses_another_list},
      {"T-FILES-14", must, "Files", "And a checkpoint that is missing there.",
       is_told_of_a_missing_one},
      {"T-FILES-15", should, "Files", "It tries a second time before it calls it damaged.",
       tries_a_second_time},
      {"T-FILES-16", must, "Files", "A part that comes twice counts once.", parts_may_come_twice},
      {"T-FILES-17", must, "Files", "A DATA that was lost does not hold it up for ever.",
       a_lost_part_is_asked_for},
      {"T-FILES-18", should, "Files", "At most 8 parts are on the way unanswered.",
       few_parts_are_on_the_way},
      {"T-FILES-19", must, "Files", "A new session does not end a fetch.",
       fetches_on_after_welcome},
      {"T-FILES-20", must, "Attempt", "One that is dropped while it fetches never begins.",
       ends_what_is_dropped},
  };
}

}  // namespace betatune::tck
