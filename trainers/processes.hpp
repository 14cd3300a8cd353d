#pragma once
/// Ending processes completely: groups, and what has escaped from its group.
///
/// Every worker leads a process group. A process that leaves the group (setsid) and outlives its
/// parents is handed by the kernel to the nearest subreaper above it: such children, which their
/// subreaper never started, are strays and are ended.

#include <cstdint>
#include <set>
#include <string>
#include <sys/types.h>

namespace betatune {

/// "SIGSEGV (invalid memory access)"; "signal 40" if it has no name.
std::string signal_text(int signal);

/// Orphans below this process become its children.
void become_subreaper();
/// This process gets `signal` when its parent dies; exits at once if that has happened already.
void die_with_parent(pid_t parent, int signal);

/// SIGKILLs every living child of this process that is not in `known`, and reaps what has ended of
/// them. Returns how many it found alive: 0 when nothing is left, for what hangs below a living
/// process only shows after that one's end.
int end_strays(const std::set<pid_t>& known);

/// Ends all descendants of this process, however deep and whatever their group; for the end of a
/// process's life. Precondition: the process is a subreaper.
void end_all_descendants();

/// Whether a signal (SIGSTOP, SIGTSTP) or a tracer has stopped the process.
bool is_stopped(pid_t pid);

/// Whether a process is no more, or waits only for its parent to hear of its end.
bool has_ended(pid_t pid);
/// Whether `ancestor` is a parent of it, or a parent's parent, and so on; or it itself.
bool is_descendant(pid_t pid, pid_t ancestor);

/// Threads of this process.
int thread_count();

/// Signal mask and dispositions as a fresh program expects them.
void reset_signals();

/// How often the kernel's out-of-memory killer has struck here, as far as can be seen.
std::uint64_t oom_kill_count();

}  // namespace betatune
