#pragma once
/// A study served until it ends, with what is checked before: what `run` and `scaling` share.

#include <memory>
#include <optional>
#include <string>

#include "optimizer/launcher.hpp"
#include "optimizer/study_session.hpp"
#include "transport/endpoint.hpp"
#include "transport/key_ring.hpp"

namespace betatune {

struct ServeOptions {
  bool json = false;   ///< events as JSON lines on stdout
  bool quiet = false;  ///< nothing while it runs
  int grace_s = 600;   ///< for running trials after the first interrupt
};

/// Every trainer is a descriptor here; the default soft limit is low, the hard one is not.
void raise_descriptor_limit();

/// Null for external trainers, or if there is a problem.
std::unique_ptr<Launcher> make_launcher(const StudySpec& spec, const std::string& file,
                                        Diagnostics& diagnostics);

/// A study file can be larger than a message: that is told now, not by trials that never start.
Status check_assignable(const StudySpec& spec);

/// Nothing where none are asked for.
Result<std::optional<KeyRing>> keys_for(const StudySpec& spec, const Bind& bind);

/// Returns why it ended: `reason` of StudyClosed, or drained, cancelled, no_trainer.
Result<std::string> serve_session(StudySession& session, const Bind& bind,
                                  const std::optional<KeyRing>& keys, Launcher* launcher,
                                  const ServeOptions& options);

}  // namespace betatune
