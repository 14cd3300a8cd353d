#include "searchspaces/log.hpp"

#include <cstdlib>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace betatune {

spdlog::logger& log() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>(
        "betatune", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    const char* level = std::getenv("BETATUNE_LOG");
    made->set_level(level != nullptr ? spdlog::level::from_str(level) : spdlog::level::warn);
    made->set_pattern("%H:%M:%S.%e %^%l%$ [%P] %v");
    return made;
  }();
  return *logger;
}

}  // namespace betatune
