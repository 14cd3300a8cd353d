/// Files of a trainer that does not see the study's folder.

#include <fmt/format.h>

#include "optimizer/tck/optimizer_cases.hpp"
#include "searchspaces/limits.hpp"
#include "transport/digest.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune::tck {
namespace {

/// More than two parts.
std::string model_bytes() {
  std::string bytes(2 * limits::kFileChunkBytes + 100, 'm');
  for (std::size_t i = 0; i < bytes.size(); i += 97) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

struct SentFile {
  std::string folder, path, bytes;
};

PutFile part_of(const Assign& assign, const SentFile& file, std::uint64_t offset) {
  return {assign.trial,
          assign.attempt,
          file.folder,
          file.path,
          file.bytes.size(),
          digest_of(file.bytes),
          offset,
          file.bytes.substr(offset, limits::kFileChunkBytes)};
}

/// What is there already, then everything behind it; the last answer.
Result<FileStored> put(Trainer& t, const Assign& assign, const SentFile& file) {
  PutFile asks = part_of(assign, file, 0);
  asks.bytes.clear();
  t.send(asks);
  BETATUNE_TRY(FileStored stored, t.expect<FileStored>());
  while (stored.problem.empty() && stored.offset < file.bytes.size()) {
    const std::uint64_t before = stored.offset;
    t.send(part_of(assign, file, before));
    BETATUNE_TRY(stored, t.expect<FileStored>());
    if (stored.problem.empty() && stored.offset <= before) {
      return wrong(fmt::format("STORED has offset {} behind {}", stored.offset, before));
    }
  }
  return stored;
}

std::string checkpoint_folder(const Assign& assign, Step step) {
  return fmt::format("checkpoints/trial-{}/attempt-{}-step-{}", assign.trial.n, assign.attempt.n,
                     step);
}

/// A list of one file, as b2sum prints it.
std::string list_of(const std::string& model) {
  return digest_of(model) + "  model\n";
}

/// Sends a checkpoint of step 1 and reports it.
Status send_checkpoint(Trainer& t, const Assign& assign, const std::string& model) {
  const std::string folder = checkpoint_folder(assign, 1), list = list_of(model);
  BETATUNE_TRY(const FileStored first, put(t, assign, {folder, "model", model}));
  if (!first.problem.empty()) return wrong("it does not take the model: " + first.problem);
  if (first.complete) return wrong("it calls the checkpoint complete before its list has come");
  BETATUNE_TRY(const FileStored last, put(t, assign, {folder, kSumsName, list}));
  if (!last.complete) return wrong("all files are there, and it is not complete: " + last.problem);
  ArtifactRef artifact{folder, 1, model.size()};
  artifact.digest = digest_of(list);
  t.send(Report{assign.trial, assign.attempt, 1, 1, {{"loss", 0.5}}, artifact});
  BETATUNE_TRY(const Ack ack, t.expect<Ack>());
  static_cast<void>(ack);
  return Ok{};
}

Result<std::string> get(Trainer& t, const Assign& assign, const std::string& path) {
  std::string bytes;
  for (;;) {
    t.send(GetFile{assign.trial, assign.attempt, assign.resume_from->uri, path, bytes.size()});
    BETATUNE_TRY(const FileData data, t.expect<FileData>());
    if (!data.problem.empty()) return wrong("it does not give " + path + ": " + data.problem);
    if (data.offset != bytes.size()) return wrong("DATA of another place than was asked for");
    bytes += data.bytes;
    if (bytes.size() >= data.size) return bytes;
    if (data.bytes.empty()) return wrong("DATA has no bytes before the end of the file");
  }
}

Status comes_back(Trainer& t, const Assign& assign, const std::string& model) {
  if (!assign.resume_from) return wrong("it has no resume_from");
  BETATUNE_TRY(const std::string list, get(t, assign, kSumsName));
  if (list != list_of(model)) return wrong("the list is not what was sent");
  BETATUNE_TRY(const std::string bytes, get(t, assign, "model"));
  return bytes == model ? Status(Ok{}) : wrong("the model is not what was sent");
}

Status a_checkpoint_travels(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  const std::string model = model_bytes();
  BETATUNE_TRY(const Assign first, t.begin());
  BETATUNE_CHECK(send_checkpoint(t, first, model));
  BETATUNE_TRY(const Ack ack, t.done(first, 1, AttemptEnd::paused));
  static_cast<void>(ack);
  BETATUNE_TRY(const Assign second, t.next_assign());
  return comes_back(t, second, model);
}

Status a_checkpoint_outlives_a_kill(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  const std::string model = model_bytes();
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign first, t.begin());
  BETATUNE_CHECK(send_checkpoint(t, first, model));
  BETATUNE_TRY(const Ack ack, t.done(first, 1, AttemptEnd::paused));
  static_cast<void>(ack);
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  Trainer& other = o.trainer("kit-2");
  BETATUNE_TRY(const Assign second, other.begin());
  return comes_back(other, second, model);
}

Status half_a_checkpoint_is_none(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  const std::string list = list_of(model_bytes());
  BETATUNE_TRY(const FileStored stored,
               put(t, assign, {checkpoint_folder(assign, 1), kSumsName, list}));
  if (stored.complete) return wrong("it is complete, and its model was never sent");
  return stored.problem.empty() ? wrong("no `problem` says that the model is missing")
                                : Status(Ok{});
}

Status spoilt_bytes_are_not_kept(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  PutFile part = part_of(assign, {checkpoint_folder(assign, 1), "model", "weights"}, 0);
  part.bytes = "weightz";
  t.send(part);
  BETATUNE_TRY(const FileStored stored, t.expect<FileStored>());
  const bool kept = stored.problem.empty() && stored.offset == part.size;
  return kept ? wrong("it keeps bytes that do not have their digest") : Status(Ok{});
}

Status a_gap_changes_nothing(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  const SentFile model{checkpoint_folder(assign, 1), "model", model_bytes()};
  t.send(part_of(assign, model, limits::kFileChunkBytes));
  BETATUNE_TRY(const FileStored stored, t.expect<FileStored>());
  if (stored.offset != 0) return wrong(fmt::format("it has {} bytes, and no first", stored.offset));
  BETATUNE_TRY(const FileStored whole, put(t, assign, model));
  return whole.offset == model.bytes.size() ? Status(Ok{}) : wrong("the file does not arrive");
}

Status a_part_may_come_twice(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  const SentFile model{checkpoint_folder(assign, 1), "model", model_bytes()};
  for (int i = 0; i < 2; ++i) {
    t.send(part_of(assign, model, 0));
    BETATUNE_TRY(const FileStored stored, t.expect<FileStored>());
    if (stored.offset != limits::kFileChunkBytes) {
      return wrong(fmt::format("it has {} bytes of one part", stored.offset));
    }
  }
  return Ok{};
}

Status names_stay_inside(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  for (const char* path : {"../model", "/tmp/model", "a/../../model", ""}) {
    t.send(part_of(assign, {checkpoint_folder(assign, 1), path, "x"}, 0));
    BETATUNE_TRY(const FileStored stored, t.expect<FileStored>());
    if (stored.problem.empty()) return wrong(fmt::format("it takes a file named `{}`", path));
  }
  return Ok{};
}

Status refuses_another_folder(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(part_of(assign, {"..", "model", "x"}, 0));
  BETATUNE_TRY(const Refusal refusal, t.refused("malformed"));
  static_cast<void>(refusal);
  return t.is_known();
}

Status files_are_for_who_has_the_attempt(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  Trainer& other = o.trainer("kit-2");
  BETATUNE_TRY(const Welcome welcome, other.hello());
  static_cast<void>(welcome);
  other.send(part_of(assign, {checkpoint_folder(assign, 1), "model", "x"}, 0));
  BETATUNE_TRY(const Refusal refusal, other.refused("stale_attempt"));
  static_cast<void>(refusal);
  other.send(GetFile{assign.trial, assign.attempt, "checkpoints", "model", 0});
  BETATUNE_TRY(const Refusal again, other.refused("stale_attempt"));
  static_cast<void>(again);
  return Ok{};
}

Status nothing_but_its_checkpoint_is_given(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(GetFile{assign.trial, assign.attempt, ".", "study.db", 0});
  BETATUNE_TRY(const Refusal refusal, t.refused("malformed"));
  static_cast<void>(refusal);
  return Ok{};
}

Status a_log_travels(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  const std::string folder = fmt::format("trials/{}/attempt-{}", assign.trial.n, assign.attempt.n);
  BETATUNE_TRY(const FileStored stored, put(t, assign, {folder, "log", "words\n"}));
  return stored.complete ? Status(Ok{}) : wrong("it is not complete: " + stored.problem);
}

}  // namespace

std::vector<OptimizerCase> optimizer_file_cases() {
  using enum Level;
  return {
      {"O-FILES-1", must, "Files", "A checkpoint that was sent is given to who goes on from it.",
       a_checkpoint_travels},
      {"O-FILES-2", must, "Files", "After a kill as well.", a_checkpoint_outlives_a_kill},
      {"O-FILES-3", must, "Files", "A checkpoint is complete only with all that its list names.",
       half_a_checkpoint_is_none},
      {"O-FILES-4", must, "Files", "Bytes without their digest are not kept.",
       spoilt_bytes_are_not_kept},
      {"O-FILES-5", must, "Files", "Bytes behind a gap change nothing.", a_gap_changes_nothing},
      {"O-FILES-6", must, "Files", "A part that comes twice counts once.", a_part_may_come_twice},
      {"O-FILES-7", must, "Files", "No file leaves its folder by its name.", names_stay_inside},
      {"O-FILES-8", must, "Files", "PUT into another folder is refused.", refuses_another_folder},
      {"O-FILES-9", must, "Files", "Files are for the trainer that has the attempt.",
       files_are_for_who_has_the_attempt},
      {"O-FILES-10", must, "Files", "GET gives the attempt's own checkpoint and nothing else.",
       nothing_but_its_checkpoint_is_given},
      {"O-FILES-11", must, "Files", "A file that an attempt leaves behind is taken by itself.",
       a_log_travels},
  };
}

}  // namespace betatune::tck
