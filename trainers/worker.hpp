#pragma once
/// The life of one attempt inside its own process, after the fork: set up, train, save, say how it
/// ended. A plug-in may do anything to this process; the agent and other attempts do not share it.

#include <string>

#include "trainers/plugin.h"
#include "trainers/worker_link.hpp"

namespace betatune {

/// Trains `job` and sends everything, the end included, over `link`. Never throws.
/// `plugin`: loaded already; null for a command.
void run_worker(const WorkerJob& job, WorkerLink& link, const betatune_plugin* plugin);

}  // namespace betatune
