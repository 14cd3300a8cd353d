#pragma once
/// The schedule of DEHB (Awad et al. 2021, arXiv:2105.09821): how long each new trial trains, and
/// for which member of which subpopulation it competes. There is a subpopulation per rung, as large
/// as the most trials that a bracket of Hyperband has there.
///
/// The brackets of the first iteration of Hyperband are successive halving, whose trials go on from
/// rung to rung. In later ones every rung has new trials, made of what the rung below has found.
/// The order of new trials never depends on results, so that the n-th trial alone says where it
/// belongs.

#include <optional>
#include <vector>

#include "optimizer/schedulers/brackets.hpp"

namespace betatune {

struct DehbOptions {
  double eta = 3;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &DehbOptions::eta, "Distance of the rungs, as of hyperband; 3 or 4.")};
  }
};

/// New trials of one length.
struct DehbStage {
  std::size_t trials = 1;
  std::size_t rung = 0;
  std::size_t pool_rung = 0;  ///< whose best are the parents,
  std::size_t pool = 1;       ///< so many of them
  bool promotes = false;      ///< the best go on
};

class DehbPlan {
 public:
  DehbPlan(std::vector<Step> levels, double eta);

  const std::vector<Step>& levels() const { return levels_; }
  std::size_t rungs() const { return levels_.size(); }
  /// The i-th stage, i = 0, 1, 2 ...
  DehbStage stage(std::size_t i) const;
  /// Trials of a bracket at each of its rungs, those that went on included. number: from 0 on.
  std::vector<std::size_t> sizes(std::size_t number) const;
  /// Members of a rung's subpopulation.
  std::size_t population(std::size_t rung) const { return populations_[rung]; }

 private:
  std::vector<Step> levels_;
  double eta_;
  std::vector<DehbStage> first_, later_;  ///< of the first iteration, and of any other
  std::vector<std::size_t> populations_;
};

/// From trial to trial.
class DehbWalk {
 public:
  explicit DehbWalk(const DehbPlan& plan);

  /// To the next trial, at first to trial 0.
  void advance();
  const DehbStage& stage() const { return stage_; }
  /// Which trial of its stage it is.
  std::size_t place() const { return place_; }
  /// The member for which the k-th training of the stage at a rung competes.
  std::size_t member(std::size_t rung, std::size_t k) const {
    return (trained_[rung] + k) % plan_.population(rung);
  }

 private:
  const DehbPlan& plan_;
  std::size_t number_ = 0;
  DehbStage stage_;
  std::size_t place_ = 0;
  bool begun_ = false;
  std::vector<std::size_t> trained_;  ///< at each rung, before this stage
};

/// Of a study whose scheduler is dehb; nothing for any other.
std::optional<DehbPlan> dehb_plan(const StudySpec& spec);

}  // namespace betatune
