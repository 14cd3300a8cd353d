#include "trainers/command/rank_variables.hpp"

namespace betatune {

std::vector<std::pair<std::string, std::string>> rank_variables(const RankPlace& place) {
  const std::string rank = std::to_string(place.rank);
  const std::string ranks = std::to_string(place.ranks);
  return {{"RANK", rank},
          {"LOCAL_RANK", rank},
          {"ROLE_RANK", rank},
          {"GROUP_RANK", "0"},
          {"WORLD_SIZE", ranks},
          {"LOCAL_WORLD_SIZE", ranks},
          {"ROLE_WORLD_SIZE", ranks},
          {"GROUP_WORLD_SIZE", "1"},
          {"ROLE_NAME", "default"},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(place.port)},
          {"TORCHELASTIC_RUN_ID", place.attempt},
          {"TORCHELASTIC_RESTART_COUNT", "0"},
          {"TORCHELASTIC_MAX_RESTARTS", "0"},
          {"TORCHELASTIC_USE_AGENT_STORE", "False"}};
}

}  // namespace betatune
