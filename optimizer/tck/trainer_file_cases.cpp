/// Files that a trainer sends which does not see the study's folder. One that sends none is
/// skipped.

#include <filesystem>
#include <fmt/format.h>
#include <utility>

#include "optimizer/tck/file_talk.hpp"
#include "optimizer/tck/trainer_cases.hpp"
#include "searchspaces/limits.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune::tck {
namespace {

namespace fs = std::filesystem;

Status arrives(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Saved saved, save(t, host));
  static_cast<void>(saved);
  return Ok{};
}

/// The optimizer has it all, and has not said so.
Status waits_for_complete(TrainerScript& t) {
  FileHost host(t);
  host.changes_stored = [](FileStored& stored) { return !stored.complete; };
  BETATUNE_TRY(const Assign assign, pause_unseen(t, host));
  BETATUNE_TRY(const bool there, t.until([&] { return host.completed() > 0; }));
  if (!there) return wrong("its checkpoint does not arrive");
  BETATUNE_CHECK(t.pass(kAWhile));
  if (checkpoint_of(t.reports()))
    return wrong("it reports a checkpoint before STORED has complete");
  if (!t.dones().empty()) return wrong("it says DONE before its checkpoint is reported");
  host.changes_stored = nullptr;
  ArtifactRef artifact;
  return sent(t, host, assign, artifact);
}

Status list_comes_last(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Saved saved, save(t, host));
  bool listed = false;
  for (const FileHost::Put& each : host.puts) {
    if (each.asked.folder != saved.artifact.uri) continue;
    const bool list = each.asked.path == kSumsName;
    if (listed && !list) return wrong(each.asked.path + " comes behind B2SUMS");
    listed = listed || list;
  }
  return Ok{};
}

Status parts_are_small(TrainerScript& t) {
  FileHost host(t);
  BETATUNE_TRY(const Saved saved, save(t, host));
  static_cast<void>(saved);
  for (const FileHost::Put& each : host.puts) {
    if (each.bytes > limits::kFileChunkBytes) {
      return wrong(fmt::format("a PUT of {} bytes", each.bytes));
    }
  }
  return Ok{};
}

Status a_lost_stored_is_asked_for(TrainerScript& t) {
  FileHost host(t);
  bool lost = false;
  host.changes_stored = [&](FileStored&) { return std::exchange(lost, true); };
  BETATUNE_TRY(const Saved saved, save(t, host));
  static_cast<void>(saved);
  return Ok{};
}

Status begins_again_after_welcome(TrainerScript& t) {
  FileHost host(t);
  host.changes_stored = [](FileStored& stored) { return !stored.complete; };
  BETATUNE_TRY(const Assign assign, pause_unseen(t, host));
  const FileHost::Put first = host.puts.front();
  BETATUNE_TRY(const bool there, t.until([&] { return host.completed() > 0; }));
  if (!there) return wrong("its checkpoint does not arrive");
  // An optimizer that has lost it: it was killed before the folder had its name.
  fs::remove_all(host.study() / first.asked.folder);
  host.restart();
  host.puts.clear();
  host.changes_stored = nullptr;
  BETATUNE_CHECK(welcome_again(t, assign));
  ArtifactRef artifact;
  BETATUNE_CHECK(sent(t, host, assign, artifact));
  const PutFile& again = host.puts.front().asked;
  return again.path == first.asked.path && again.offset == 0
             ? Status(Ok{})
             : wrong(fmt::format("it begins with byte {} of {}, its first file is {}", again.offset,
                                 again.path, first.asked.path));
}

Status what_is_not_taken_is_not_reported(TrainerScript& t) {
  FileHost host(t);
  host.changes_stored = [](FileStored& stored) {
    stored.offset = 0;
    stored.complete = false;
    stored.problem = "the kit does not want it";
    return true;
  };
  BETATUNE_TRY(const Assign assign, pause_unseen(t, host));
  static_cast<void>(assign);
  BETATUNE_CHECK(t.pass(3 * kAWhile));
  return checkpoint_of(t.reports()) ? wrong("it reports a checkpoint that was not taken")
                                    : Status(Ok{});
}

}  // namespace

std::vector<TrainerCase> trainer_file_cases() {
  using enum Level;
  return {
      {"T-FILES-1", must, "Files", "A checkpoint arrives as it is reported.", arrives},
      {"T-FILES-2", must, "Files", "It is reported once STORED has complete, and DONE behind it.",
       waits_for_complete},
      {"T-FILES-3", must, "Files", "B2SUMS comes last.", list_comes_last},
      {"T-FILES-4", must, "Files", "No part has more than 262144 bytes.", parts_are_small},
      {"T-FILES-5", must, "Files", "A STORED that was lost does not hold it up for ever.",
       a_lost_stored_is_asked_for},
      {"T-FILES-6", must, "Files", "After a WELCOME it begins with the folder's first file.",
       begins_again_after_welcome},
      {"T-FILES-7", must, "Files", "What the optimizer does not take is not reported.",
       what_is_not_taken_is_not_reported},
  };
}

}  // namespace betatune::tck
