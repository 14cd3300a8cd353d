#pragma once
/// Runs cases one after the other, each in a folder and with a process of its own.

#include <functional>

#include "optimizer/tck/optimizer_cases.hpp"
#include "optimizer/tck/trainer_cases.hpp"

namespace betatune::tck {

std::vector<TrainerCase> all_trainer_cases();
std::vector<OptimizerCase> all_optimizer_cases();

/// Whose id contains `only`; all if that is empty. `told` is called after each.
using Told = std::function<void(const Outcome&)>;
std::vector<Outcome> run_trainer_cases(const TrainerTarget& target, const std::string& only,
                                       const Told& told);
std::vector<Outcome> run_optimizer_cases(const OptimizerTarget& target, const std::string& only,
                                         const Told& told);

/// Whether a MUST is broken.
bool has_failed(const std::vector<Outcome>& outcomes);

/// "betatune.tck/1".
Json report_json(const std::string& subject, const std::vector<Outcome>& outcomes);
/// JUnit's XML, as CI systems read it.
std::string report_junit(const std::string& subject, const std::vector<Outcome>& outcomes);

}  // namespace betatune::tck
