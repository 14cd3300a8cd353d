#pragma once
/// Signals that a batch system sends to every process of a job at once: Slurm its SIGTERM at the
/// time limit, and before that whatever `--signal` asks for, SIGUSR1 as a rule. What becomes of a
/// trial is for its trainer to decide, which hears the same: the processes below it that are ours
/// wait for its word.

#include <sys/types.h>

namespace betatune {

/// From here on SIGTERM, SIGINT and SIGHUP end this process only if `parent` sends them, or the
/// process itself, or the kernel; SIGUSR1 does not at all. A program that is executed later has the
/// default for the former and ignores the latter.
void heed_only(pid_t parent);

/// None of them ends this process, nor a program that is executed later.
void ignore_job_signals();

}  // namespace betatune
