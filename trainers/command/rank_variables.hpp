#pragma once
/// What one process of a command that is started per rank finds in its environment: the variables
/// of torchrun, so that scripts written for it run as they are.

#include <string>
#include <utility>
#include <vector>

namespace betatune {

struct RankPlace {
  int rank = 0;
  int ranks = 1;
  int port = 0;         ///< of 127.0.0.1, where rank 0 may listen
  std::string attempt;  ///< names the attempt, the same for all of its ranks
};

/// {name, value}. One machine is one "group" to torchrun, of one "role". There is no store of ours
/// at the port (TORCHELASTIC_USE_AGENT_STORE): rank 0 makes it. No restart is in place: the next
/// attempt is another gang.
/// source   torch.distributed.elastic, LocalElasticAgent
std::vector<std::pair<std::string, std::string>> rank_variables(const RankPlace& place);

}  // namespace betatune
