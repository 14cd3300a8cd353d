#pragma once

namespace betatune {

/// Freed memory stays with the process, up to 64 MiB of it. A suggestion allocates and frees
/// matrices of some MiB again and again; as the C library gives each back to the system at once,
/// page faults would be a third of its time. For the beginning of main().
void keep_freed_memory();

}  // namespace betatune
