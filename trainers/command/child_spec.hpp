#pragma once
/// What a command's processes are started with: arguments with their placeholders filled in, and
/// the environment. docs/command-trainer.md lists both.

#include <filesystem>

#include "trainers/command/child.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

/// What the processes of one attempt share.
struct CommandPlace {
  std::filesystem::path params_file, config_file, checkpoint_dir;
  std::filesystem::path resume_dir;  ///< empty: there is none
  int port = 0;                      ///< where they may meet, if they are started per rank
};

/// On top of this process's own environment.
ChildSpec child_spec(const Assign& assign, const CommandPlace& place, int rank);

}  // namespace betatune
