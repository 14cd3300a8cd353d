#include "trainers/cli/cli.hpp"
#include "trainers/fork_server.hpp"

int main(int argc, char** argv) {
  // Before anything that might start a thread: fork servers and workers are this same program.
  const int internal = betatune::run_internal_command(argc, argv);
  return internal >= 0 ? internal : betatune::trainer_cli(argc, argv);
}
