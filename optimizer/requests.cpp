#include "optimizer/requests.hpp"

namespace betatune {
namespace {

/// Not inlined, as GCC 12 would then take a name that is not there for one that may be read.
[[gnu::noinline]] Input enqueue_of(Configuration configuration, const Json& body) {
  EnqueueRequest wish{std::move(configuration)};
  const auto user = body.find("user");
  if (user != body.end() && user->is_string()) wish.user = user->get<std::string>();
  return wish;
}

}  // namespace

Result<Input> input_of(const StoredRequest& request, const SearchSpace& space) {
  if (request.kind == request_kinds::kDrain) return Input(DrainRequest{"asked to stop"});
  if (request.kind == request_kinds::kStopTrial) {
    const auto trial = request.body.find("trial");
    if (trial == request.body.end()) {
      return Error{ErrorKind::invalid_argument, "stop_trial: no `trial`"};
    }
    BETATUNE_TRY(const TrialId id, decode_json<TrialId>(*trial, "trial"));
    return Input(StopTrialRequest{id});
  }
  if (request.kind == request_kinds::kEnqueue) {
    const auto params = request.body.find("params");
    if (params == request.body.end()) {
      return Error{ErrorKind::invalid_argument, "enqueue: no `params`"};
    }
    BETATUNE_TRY(const Configuration partial, configuration_from_json(*params));
    BETATUNE_TRY(Configuration complete, space.complete(partial));
    return enqueue_of(std::move(complete), request.body);
  }
  return Error{ErrorKind::invalid_argument, "unknown kind of request `" + request.kind + "`"};
}

}  // namespace betatune
