#pragma once
/// BTP/1, the trainer protocol, as values. Trainer = DEALER (T), optimizer = ROUTER (O).
///
/// Delivery is at least once; (trial, attempt, seq) makes it effectively once. (epoch, attempt) is
/// the fence: a message of an old attempt changes nothing. docs/protocol.md has the conversation.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "searchspaces/outcome.hpp"

namespace betatune {

inline constexpr int kProtocolVersion = 1;

/// One attempt, as each side believes it runs.
struct Held {
  TrialId trial;
  AttemptId attempt;
  std::uint64_t last_seq = 0;  ///< T: last report made; O: last report durable
  Step step = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Held::trial, "trial id"},
                      Field{"attempt", &Held::attempt, "attempt number"},
                      defaulted("last_seq", &Held::last_seq, "last report made (T) or durable (O)"),
                      defaulted("step", &Held::step, "last step reported")};
  }
};

/// T -> O, first on every connect.
struct Hello {
  static constexpr const char* kType = "HELLO";
  int protocol_min = kProtocolVersion;
  int protocol_max = kProtocolVersion;
  TrainerId trainer;
  std::string session;  ///< 128 random bits in hex, new at each connect
  std::string token;    ///< the study's token; empty where the socket's permissions are the guard
  int slots = 1;
  std::string sdk;
  std::vector<Held> held;
  static constexpr auto fields() {
    return std::tuple{Field{"protocol_min", &Hello::protocol_min, "lowest version spoken"},
                      Field{"protocol_max", &Hello::protocol_max, "highest version spoken"},
                      Field{"trainer", &Hello::trainer, "unique name of the trainer"},
                      Field{"session", &Hello::session, "128 random bits in hex"},
                      defaulted("token", &Hello::token, "the study's token"),
                      Field{"slots", &Hello::slots, "trials it can run at once"},
                      defaulted("sdk", &Hello::sdk, "implementation and version"),
                      defaulted("held", &Hello::held, "attempts it still works on")};
  }
};

/// O -> T. Held attempts that are in neither list are unknown: end them.
struct Welcome {
  static constexpr const char* kType = "WELCOME";
  int protocol = kProtocolVersion;
  std::string study;
  std::uint64_t epoch = 0;
  std::int64_t beat_ms = 5'000;
  std::int64_t lease_ms = 30'000;
  std::vector<Held> keep;  ///< go on; last_seq is what is durable
  std::vector<Held> drop;  ///< end this work
  static constexpr auto fields() {
    return std::tuple{Field{"protocol", &Welcome::protocol, "version chosen"},
                      Field{"study", &Welcome::study, "name of the study"},
                      Field{"epoch", &Welcome::epoch, "grows at each optimizer start"},
                      Field{"beat_ms", &Welcome::beat_ms, "send a BEAT this often"},
                      Field{"lease_ms", &Welcome::lease_ms, "silence after which work is lost"},
                      defaulted("keep", &Welcome::keep, "held attempts to go on with"),
                      defaulted("drop", &Welcome::drop, "held attempts to end")};
  }
};

/// T -> O: how many assignments it can take now (absolute, not a difference).
struct Ready {
  static constexpr const char* kType = "READY";
  int credit = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"credit", &Ready::credit, "assignments it can take now"}};
  }
};

/// What runs a trial: the study's `trainer:` section, and the limits that the trainer's side
/// enforces.
struct TrainerJob {
  std::string plugin;                ///< path or name; empty if command
  std::vector<std::string> command;  ///< argv with {placeholders}; empty if plugin
  bool per_rank = false;             ///< a process of the command for each rank, not one for all
  Json config = Json::object();
  int cpus = 1;
  int gpus = 0;
  int ranks = 1;                          ///< processes of one trial, on one machine
  int slots = 1;                          ///< of the trainer, that it takes
  std::int64_t rank_timeout_ms = 10'000;  ///< how long one may keep the others waiting
  std::string study_dir;                  ///< absolute path of the study's folder
  std::string folder_mark;        ///< who reads this there sees it (transport/folder_mark.hpp)
  std::string objective;          ///< name of the metric that is optimized
  std::string directory;          ///< where the study file is: working directory of a command
  std::int64_t wall_time_ms = 0;  ///< 0: no limit
  std::int64_t silence_ms = 0;    ///< 0: no limit
  std::int64_t checkpoint_every_ms = 0;  ///< 0: only at the end of an attempt
  bool resumable = true;                 ///< the trainer can load a checkpoint
  static constexpr auto fields() {
    return std::tuple{
        defaulted("plugin", &TrainerJob::plugin, "plug-in, path or name"),
        defaulted("command", &TrainerJob::command, "argv with placeholders"),
        defaulted("per_rank", &TrainerJob::per_rank, "a process of the command for each rank"),
        defaulted("config", &TrainerJob::config, "the study's trainer.config"),
        defaulted("cpus", &TrainerJob::cpus, "threads"),
        defaulted("gpus", &TrainerJob::gpus, "GPUs"),
        defaulted("ranks", &TrainerJob::ranks, "processes of one trial"),
        defaulted("slots", &TrainerJob::slots, "of the trainer, that it takes"),
        defaulted("rank_timeout_ms", &TrainerJob::rank_timeout_ms,
                  "how long one may keep the others waiting"),
        defaulted("study_dir", &TrainerJob::study_dir, "the study's folder"),
        defaulted("folder_mark", &TrainerJob::folder_mark, "what its file `folder-mark` holds"),
        defaulted("objective", &TrainerJob::objective, "metric that is optimized"),
        defaulted("directory", &TrainerJob::directory, "working directory of a command"),
        defaulted("wall_time_ms", &TrainerJob::wall_time_ms, "limit of one attempt, 0: none"),
        defaulted("silence_ms", &TrainerJob::silence_ms, "limit between reports, 0: none"),
        defaulted("checkpoint_every_ms", &TrainerJob::checkpoint_every_ms, "0: only at the end"),
        defaulted("resumable", &TrainerJob::resumable, "whether it can load a checkpoint")};
  }
};

/// O -> T: train this. Sent only after its AttemptStarted is durable.
struct Assign {
  static constexpr const char* kType = "ASSIGN";
  TrialId trial;
  AttemptId attempt;
  std::uint64_t epoch = 0;
  Configuration params;
  Step from = 0;   ///< step of resume_from, 0 if from scratch
  Step until = 1;  ///< train up to and including this step
  std::optional<ArtifactRef> resume_from;
  std::uint64_t seed = 0;  ///< the same for every attempt of a trial
  TrainerJob job;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Assign::trial, "trial id"},
                      Field{"attempt", &Assign::attempt, "the fence"},
                      Field{"epoch", &Assign::epoch, "optimizer epoch"},
                      Field{"params", &Assign::params, "active parameters"},
                      Field{"from", &Assign::from, "step already trained"},
                      Field{"until", &Assign::until, "step to train to"},
                      Field{"resume_from", &Assign::resume_from, "checkpoint to load"},
                      Field{"seed", &Assign::seed, "the trial's own seed"},
                      Field{"job", &Assign::job, "what runs it"}};
  }
};

/// T -> O. seq is 1, 2, 3 ... per attempt. Non-finite metrics travel as "NaN", "Infinity",
/// "-Infinity".
struct Report {
  static constexpr const char* kType = "REPORT";
  TrialId trial;
  AttemptId attempt;
  std::uint64_t seq = 0;
  Step step = 0;
  Metrics metrics;
  std::optional<ArtifactRef> checkpoint;  ///< already published
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Report::trial, "trial id"},
                      Field{"attempt", &Report::attempt, "attempt number"},
                      Field{"seq", &Report::seq, "1, 2, 3 ... per attempt"},
                      Field{"step", &Report::step, "training step"},
                      defaulted("metrics", &Report::metrics, "name -> number"),
                      Field{"checkpoint", &Report::checkpoint, "a published checkpoint"}};
  }
};

/// O -> T: everything up to seq is durable; `done` acknowledges the DONE as well.
struct Ack {
  static constexpr const char* kType = "ACK";
  TrialId trial;
  AttemptId attempt;
  std::uint64_t seq = 0;
  bool done = false;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Ack::trial, "trial id"},
                      Field{"attempt", &Ack::attempt, "attempt number"},
                      Field{"seq", &Ack::seq, "durable up to here"},
                      defaulted("done", &Ack::done, "the DONE is durable too")};
  }
};

/// O -> T. Repeated in the answer to each BEAT that still holds the attempt.
struct Decision {
  static constexpr const char* kType = "DECISION";
  TrialId trial;
  AttemptId attempt;
  Action action = Action::stop;
  std::string reason;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Decision::trial, "trial id"},
                      Field{"attempt", &Decision::attempt, "attempt number"},
                      Field{"action", &Decision::action, "continue, stop or pause"},
                      defaulted("reason", &Decision::reason, "for people")};
  }
};

/// T -> O, repeated until acknowledged. Refused (ERROR missing_reports) while a seq is missing.
struct Done {
  static constexpr const char* kType = "DONE";
  TrialId trial;
  AttemptId attempt;
  std::uint64_t final_seq = 0;
  Step step = 0;
  AttemptEnd end = AttemptEnd::reached;
  std::optional<FailureClass> failure;
  std::string message;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Done::trial, "trial id"},
                      Field{"attempt", &Done::attempt, "attempt number"},
                      Field{"final_seq", &Done::final_seq, "number of reports made"},
                      Field{"step", &Done::step, "last step trained"},
                      Field{"end", &Done::end, "reached, stopped, paused or failed"},
                      Field{"failure", &Done::failure, "class, where end is failed"},
                      defaulted("message", &Done::message, "for people, at most 4 KiB")};
  }
};

/// Both ways: what this side believes runs. T -> O renews leases; O -> T answers with what to drop.
struct Beat {
  static constexpr const char* kType = "BEAT";
  std::uint64_t epoch = 0;
  std::vector<Held> held;  ///< T: running, or ended and not yet acknowledged
  std::vector<Held> drop;  ///< O: end this work
  static constexpr auto fields() {
    return std::tuple{defaulted("epoch", &Beat::epoch, "optimizer epoch"),
                      defaulted("held", &Beat::held, "what this side believes runs"),
                      defaulted("drop", &Beat::drop, "O: attempts to end")};
  }
};

/// Both ways. T: finishes what it holds if drain, takes no more. O: no more work will come; exit.
struct Bye {
  static constexpr const char* kType = "BYE";
  std::string reason;
  bool drain = true;
  static constexpr auto fields() {
    return std::tuple{defaulted("reason", &Bye::reason, "for people"),
                      defaulted("drain", &Bye::drain, "finish what runs first")};
  }
};

/// O -> T. Codes: unknown_verb, malformed, not_welcome, bad_token, bad_version, stale_attempt,
/// conflict, missing_reports, too_many_slots. `fatal`: end the session.
struct Refusal {
  static constexpr const char* kType = "ERROR";
  std::string code;
  bool fatal = false;
  std::string message;
  std::optional<TrialId> trial;
  std::optional<AttemptId> attempt;
  static constexpr auto fields() {
    return std::tuple{Field{"code", &Refusal::code, "see docs/protocol.md"},
                      defaulted("fatal", &Refusal::fatal, "end the session"),
                      defaulted("message", &Refusal::message, "for people"),
                      Field{"trial", &Refusal::trial, "what it refers to"},
                      Field{"attempt", &Refusal::attempt, "what it refers to"}};
  }
};

/// T -> O, with `bytes` in a frame of its own: part of a file for the study's folder, from a
/// trainer that does not see it. Without bytes it asks what is there already.
struct PutFile {
  static constexpr const char* kType = "PUT";
  TrialId trial;
  AttemptId attempt;
  std::string folder;
  std::string path;
  std::uint64_t size = 0;  ///< of the whole file
  std::string digest;      ///< of the whole file
  std::uint64_t offset = 0;
  std::string bytes;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &PutFile::trial, "trial id"},
                      Field{"attempt", &PutFile::attempt, "attempt number"},
                      Field{"folder", &PutFile::folder, "below the study's folder"},
                      Field{"path", &PutFile::path, "of the file in it"},
                      Field{"size", &PutFile::size, "bytes of the file"},
                      Field{"digest", &PutFile::digest, "BLAKE2b-256 of the file"},
                      Field{"offset", &PutFile::offset, "where these bytes begin"}};
  }
};

/// O -> T: what the optimizer has of a file.
struct FileStored {
  static constexpr const char* kType = "STORED";
  TrialId trial;
  AttemptId attempt;
  std::string folder;
  std::string path;
  std::uint64_t offset = 0;
  bool complete = false;
  std::string problem;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &FileStored::trial, "trial id"},
                      Field{"attempt", &FileStored::attempt, "attempt number"},
                      Field{"folder", &FileStored::folder, "as in PUT"},
                      Field{"path", &FileStored::path, "as in PUT"},
                      Field{"offset", &FileStored::offset, "bytes held, from the first on"},
                      defaulted("complete", &FileStored::complete, "durable in its place"),
                      defaulted("problem", &FileStored::problem, "why it is not taken")};
  }
};

/// T -> O: asks for part of a file of the checkpoint that the attempt goes on from.
struct GetFile {
  static constexpr const char* kType = "GET";
  TrialId trial;
  AttemptId attempt;
  std::string folder;
  std::string path;
  std::uint64_t offset = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &GetFile::trial, "trial id"},
                      Field{"attempt", &GetFile::attempt, "attempt number"},
                      Field{"folder", &GetFile::folder, "uri of the checkpoint"},
                      Field{"path", &GetFile::path, "of the file in it"},
                      Field{"offset", &GetFile::offset, "where the bytes are to begin"}};
  }
};

/// O -> T, with `bytes` in a frame of its own: the answer to GET.
struct FileData {
  static constexpr const char* kType = "DATA";
  TrialId trial;
  AttemptId attempt;
  std::string folder;
  std::string path;
  std::uint64_t size = 0;  ///< of the whole file
  std::uint64_t offset = 0;
  std::string problem;
  std::string bytes;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &FileData::trial, "trial id"},
                      Field{"attempt", &FileData::attempt, "attempt number"},
                      Field{"folder", &FileData::folder, "as in GET"},
                      Field{"path", &FileData::path, "as in GET"},
                      defaulted("size", &FileData::size, "bytes of the file"),
                      Field{"offset", &FileData::offset, "where these bytes begin"},
                      defaulted("problem", &FileData::problem, "why there are none")};
  }
};

using Message = std::variant<Hello, Welcome, Ready, Assign, Report, Ack, Decision, Done, Beat, Bye,
                             Refusal, PutFile, FileStored, GetFile, FileData>;

}  // namespace betatune
