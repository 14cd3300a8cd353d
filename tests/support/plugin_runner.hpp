#pragma once
/// Runs bin/plugin_driver on a plug-in and reads its reports.

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace betatune::support {

struct PluginRun {
  int status = -1;                      ///< exit status, or 128 + signal
  std::vector<nlohmann::json> reports;  ///< the "metrics" of each report
  std::string talk;                     ///< everything else: logs and errors
};

/// Quotes for the shell; JSON has no single quotes in these tests.
inline std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

/// `arguments` of plugin_driver after the plug-in; `before` goes in front ("ulimit -v 1000;").
inline PluginRun run_plugin(const std::string& plugin, const std::string& arguments,
                            const std::string& before = "") {
  const std::string binary = BETATUNE_BINARY_DIR;
  const std::string command = before + " exec env OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive " +
                              quoted(binary + "/bin/plugin_driver") + " " +
                              quoted(binary + "/plugins/" + plugin + ".so") + " " + arguments +
                              " 2>&1";
  PluginRun run;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return run;
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  const int status = pclose(pipe);
  run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
      run.reports.push_back(json.at("metrics"));
    } else {
      run.talk += line + "\n";
    }
  }
  return run;
}

}  // namespace betatune::support
