#pragma once
/// The command line of betatune-trainer: data on stdout, talk on stderr.

namespace betatune {

/// Returns the exit status: 0 the study ended, 2 usage, 7 authentication, 75 drained (resumable).
int trainer_cli(int argc, char** argv);

}  // namespace betatune
