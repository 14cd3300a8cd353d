#pragma once
/// What the cases about a trainer's files begin with: a trial whose checkpoint travels.

#include <optional>

#include "optimizer/tck/file_host.hpp"

namespace betatune::tck {

/// Long enough for what should not have come.
inline constexpr Milliseconds kAWhile{1'000};

/// The last that was reported.
std::optional<ArtifactRef> checkpoint_of(const std::vector<Report>& reports);

/// A trial that was told to pause where the folder is not seen, and has put something. Errors: it
/// exchanges no files (unsupported), or reports what it has not sent.
Result<Assign> pause_unseen(TrainerScript& t, FileHost& host);

/// Waits for its end, whose checkpoint has arrived as it was reported.
Status sent(TrainerScript& t, FileHost& host, const Assign& assign, ArtifactRef& artifact);

struct Saved {
  Assign assign;
  ArtifactRef artifact;
};
/// Both of these.
Result<Saved> save(TrainerScript& t, FileHost& host);

/// As a restart of the optimizer: the next session must hold the attempt, and keeps it.
Status welcome_again(TrainerScript& t, const Assign& assign);

}  // namespace betatune::tck
