#pragma once
/// One line of the ask-tell protocol as a value.

#include <optional>
#include <string_view>
#include <variant>

#include "searchspaces/ids.hpp"
#include "searchspaces/outcome.hpp"
#include "searchspaces/result.hpp"

namespace betatune {

/// {"id": 0, "loss": 0.3} or {"id": 0, "metrics": {...}, "step": 9} or {"id": 0, "failed": "oom"}.
struct Told {
  TrialId id;
  std::optional<double> loss;  ///< to be minimised; may be NaN or infinite
  Metrics metrics;             ///< may be NaN or infinite
  std::optional<Step> step;
  std::optional<FailureClass> failed;
};

struct AskRequest {
  std::int64_t count = 0;
};
struct TellRequest {
  Told told;
};
struct ReportRequest {
  Told told;
};
struct EnqueueByHand {
  Configuration params;
};
struct BestRequest {};
struct RecommendRequest {};
struct CloseRequest {};

using AskTellRequest = std::variant<AskRequest, TellRequest, ReportRequest, EnqueueByHand,
                                    BestRequest, RecommendRequest, CloseRequest>;

/// Errors: invalid_argument; the message says what is wrong and where ("tell.id: missing").
/// Never throws, whatever the bytes: size and depth are limited (limits::kMessageBytes,
/// kBodyDepth), duplicate keys are refused.
Result<AskTellRequest> parse_ask_tell(std::string_view line);

}  // namespace betatune
