#pragma once
/// One number of ranks, trained and read back.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "configs/study_spec.hpp"
#include "optimizer/cli/serve_session.hpp"
#include "optimizer/scaling.hpp"

namespace betatune {

struct WidthRun {
  std::shared_ptr<const StudySpec> spec;  ///< of scaling_document
  std::string file;                       ///< the user's study file
  bool fresh = false;                     ///< train again what has been trained before
  int grace_s = 600;                      ///< after an interrupt
};

/// Trains what is not trained yet, and returns why it ended: "trials" if all is there. An earlier
/// measurement with other settings, or one that failed, is set aside.
Result<std::string> train_width(const WidthRun& run);

/// What the study in `folder` says of its trainings.
///
/// target  a loss, to be minimised
/// errors  invalid_argument: a training failed, with its message and where its log is
Result<MeasuredWidth> read_width(const std::filesystem::path& folder, int ranks,
                                 std::optional<double> target);

}  // namespace betatune
