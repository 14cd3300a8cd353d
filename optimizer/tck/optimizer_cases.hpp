#pragma once

#include "optimizer/tck/optimizer_script.hpp"

namespace betatune::tck {

using OptimizerCase = Case<OptimizerScript>;

// One file each.
std::vector<OptimizerCase> optimizer_session_cases();
std::vector<OptimizerCase> optimizer_message_cases();
std::vector<OptimizerCase> optimizer_attempt_cases();
std::vector<OptimizerCase> optimizer_recovery_cases();
std::vector<OptimizerCase> optimizer_checkpoint_cases();
std::vector<OptimizerCase> optimizer_file_cases();
std::vector<OptimizerCase> optimizer_conversation_cases();

}  // namespace betatune::tck
