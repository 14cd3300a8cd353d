#include "optimizer/tck/file_talk.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "transport/sealed_folder.hpp"

namespace betatune::tck {

std::optional<ArtifactRef> checkpoint_of(const std::vector<Report>& reports) {
  std::optional<ArtifactRef> last;
  for (const Report& each : reports) {
    if (each.checkpoint) last = each.checkpoint;
  }
  return last;
}

Result<Assign> pause_unseen(TrainerScript& t, FileHost& host) {
  BETATUNE_CHECK(t.needs_checkpoints());
  BETATUNE_CHECK(t.needs_steps(10));
  BETATUNE_CHECK(t.begin());
  const Assign assign = host.unseen(t.make_assign(TrialId{0}, 1));
  t.send(assign);
  BETATUNE_TRY(const Report first, t.expect<Report>());
  if (first.step > assign.until / 2) return skipped("its trials are over too soon");
  t.send(Decision{assign.trial, assign.attempt, Action::pause, "the kit says so"});
  BETATUNE_TRY(const bool spoke, t.until([&] { return !host.puts.empty() || !t.dones().empty(); }));
  if (!spoke) return wrong("it was told to pause, and neither sends a file nor says DONE");
  if (!host.puts.empty()) return assign;
  return checkpoint_of(t.reports())
             ? wrong("it reports a checkpoint in a folder that it does not see, and has sent none")
             : skipped("it exchanges no files");
}

Status sent(TrainerScript& t, FileHost& host, const Assign& assign, ArtifactRef& artifact) {
  BETATUNE_TRY(const bool over, t.until([&] { return !t.dones().empty(); }));
  if (!over) return wrong("its checkpoint is there, and no DONE comes");
  t.acknowledge(t.dones().front());
  const auto reported = checkpoint_of(t.reports());
  if (!reported) return wrong("its checkpoint is there, and is not reported");
  if (!reported->digest) return wrong("a checkpoint that travels has no digest");
  artifact = *reported;
  const std::string name = fmt::format("checkpoints/trial-{}/attempt-{}-step-{}", assign.trial.n,
                                       assign.attempt.n, artifact.step);
  if (artifact.uri != name) return wrong(artifact.uri + " is reported, it should be " + name);
  const Status whole = check_seal(host.study() / artifact.uri, *artifact.digest);
  return whole ? Status(Ok{})
               : wrong("what was sent is not what is reported: " + whole.error().message);
}

Result<Saved> save(TrainerScript& t, FileHost& host) {
  Saved out;
  BETATUNE_TRY(out.assign, pause_unseen(t, host));
  BETATUNE_CHECK(sent(t, host, out.assign, out.artifact));
  return out;
}

Status welcome_again(TrainerScript& t, const Assign& assign) {
  BETATUNE_TRY(const Hello hello, t.rejoin());
  const bool held =
      std::ranges::any_of(hello.held, [&](const Held& each) { return is_of(assign, each); });
  if (!held) return wrong("its HELLO does not hold an attempt whose files travel");
  t.welcome(hello.held);
  return Ok{};
}

}  // namespace betatune::tck
