#include "optimizer/repeated.hpp"

#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace betatune {

double Repeated::mean() const {
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

double Repeated::deviation() const {
  if (losses.size() < 2) return 0;
  const double centre = mean();
  double sum = 0;
  for (const double each : losses) sum += (each - centre) * (each - centre);
  return std::sqrt(sum / static_cast<double>(losses.size() - 1));
}

std::string Repeated::text() const {
  if (!is_mean()) return {};
  const char* why = confirmed ? " made to confirm it" : "";
  if (losses.size() == 1) return fmt::format(", of 1 training{}", why);
  return fmt::format(" +- {:.2g}, the mean of {} trainings{}", deviation(), losses.size(), why);
}

}  // namespace betatune
