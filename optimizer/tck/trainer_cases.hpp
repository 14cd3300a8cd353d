#pragma once

#include "optimizer/tck/trainer_script.hpp"

namespace betatune::tck {

using TrainerCase = Case<TrainerScript>;

// One file each.
std::vector<TrainerCase> trainer_session_cases();
std::vector<TrainerCase> trainer_attempt_cases();
std::vector<TrainerCase> trainer_delivery_cases();
std::vector<TrainerCase> trainer_end_cases();
std::vector<TrainerCase> trainer_checkpoint_cases();
std::vector<TrainerCase> trainer_file_cases();
std::vector<TrainerCase> trainer_fetch_cases();

}  // namespace betatune::tck
