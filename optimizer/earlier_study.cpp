#include "optimizer/earlier_study.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include "configs/study_spec.hpp"
#include "optimizer/gp/model.hpp"
#include "optimizer/stores/study_reader.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr Eigen::Index kMostResults = 500;

fs::path directory_of(const std::string& name) {
  std::error_code failed;
  fs::path path = name;
  if (path.filename() == "study.db") path = path.parent_path();
  if (!fs::exists(path / "study.db", failed)) return fs::path("runs") / name;
  return path;
}

std::string text_at(const Json& document, const char* section, const char* key,
                    const char* otherwise) {
  const Json* objective =
      document.is_object() && document.contains(section) ? &document.at(section) : nullptr;
  if (objective != nullptr && objective->is_array() && !objective->empty()) {
    objective = &objective->front();
  }
  const bool given = objective != nullptr && objective->is_object() && objective->contains(key) &&
                     objective->at(key).is_string();
  return given ? objective->at(key).get<std::string>() : otherwise;
}

/// "minimize loss": of the first objective.
std::string objective_text(const Json& document) {
  const char* const section =
      document.is_object() && document.contains("objectives") ? "objectives" : "objective";
  return text_at(document, section, "goal", "minimize") + " " +
         text_at(document, section, "metric", "loss");
}

Result<EarlierStudyRead> read_results(const std::string& name, const Json& document) {
  BETATUNE_TRY(auto reader, StudyReader::open(directory_of(name)));
  BETATUNE_TRY(const StudySummary summary, reader->summary());
  const std::string wanted = objective_text(document), found = objective_text(summary.document);
  if (wanted != found) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("it has another objective: {}, this study has {}", found, wanted)};
  }
  std::vector<TrialRow> rows;
  Step highest = 0;
  BETATUNE_CHECK(reader->trials({}, [&](const TrialRow& row) {
    if (!row.loss || row.outcome == "failed" || row.state != "closed") return true;
    highest = std::max(highest, row.step);
    rows.push_back(row);
    return true;
  }));
  std::erase_if(rows, [&](const TrialRow& row) { return row.step < highest; });
  if (rows.empty()) return Error{ErrorKind::invalid_argument, "no trial of it has a result yet"};
  Eigen::VectorXd losses(std::ssize(rows));
  for (Eigen::Index i = 0; i < losses.size(); ++i) {
    losses[i] = *rows[static_cast<std::size_t>(i)].loss;
  }
  EarlierStudyRead out{name, {}};
  for (const Eigen::Index i : choose_rows(losses, kMostResults)) {
    BETATUNE_TRY(auto configuration,
                 decode_json<Configuration>(rows[static_cast<std::size_t>(i)].params, "params"));
    out.results.push_back({std::move(configuration), losses[i]});
  }
  return out;
}

}  // namespace

std::vector<EarlierStudyRead> read_earlier_studies(const StudySpec& spec, const StudyState& state,
                                                   Diagnostics& diagnostics) {
  std::vector<EarlierStudyRead> out;
  for (const ConfigNode& node : spec.algorithm.transfer.studies) {
    const std::string& name = node.text();
    const bool known =
        std::ranges::any_of(state.earlier, [&](const auto& each) { return each->study == name; });
    if (known) continue;
    auto read = read_results(name, spec.document);
    if (read) {
      out.push_back(std::move(read).value());
    } else {
      diagnostics.error(
          "E0411", fmt::format("cannot learn from `{}`: {}", name, read.error().message),
          node.mark(), "name the folder of a study that has results, or its name under runs/");
    }
  }
  return out;
}

}  // namespace betatune
