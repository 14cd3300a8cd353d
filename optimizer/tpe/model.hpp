#pragma once
/// Where a tree-structured Parzen estimator would look: points that are likely among the better
/// results and unlikely among the worse.

#include "optimizer/tpe/parzen.hpp"
#include "optimizer/tpe/split.hpp"

namespace betatune {

struct TpeModelOptions {
  bool multivariate = true;
  bool grouped = true;
  double gamma = 0.15;
  double prior_weight = 1;  ///< of the prior's kernel, beside the average result's
  int candidates = 24;
};

class TpeModel {
 public:
  TpeModel(const SearchSpace& space, TpeModelOptions options);

  /// Learns from a history's results. What is pending counts as worse.
  void begin(const Observations& data);
  /// One more that is pending: a point of values' places, NaN where inactive.
  void pend(const Eigen::VectorXd& point);

  struct Candidate {
    Eigen::VectorXd point;  ///< every column has a value; conditions decide which exist
    double log_ratio = 0;   ///< better over worse, summed over the groups
  };
  /// `candidates` of them, best first. Precondition: begin().
  std::vector<Candidate> propose(Key key);

 private:
  struct Group {
    std::vector<ParzenAxis> axes;
    std::vector<NormaliserCache> better_cache, worse_cache;
    KernelCentres better, worse;
    double prior_weight = 1;
  };
  /// Appends `point` to the kernels, if the group is active there.
  static void add(const Group& group, const Eigen::Ref<const Eigen::RowVectorXd>& point,
                  double weight, std::size_t trial, KernelCentres& to);
  void propose_for(Group& group, Key key, std::vector<Candidate>& out) const;

  TpeModelOptions options_;
  int dims_;
  std::vector<Group> groups_;
};

/// The columns that are modelled together, by parameters' names: all that exist always, and with
/// them, grouped, each set that has the same condition; single ones if not multivariate.
std::vector<std::vector<std::size_t>> column_groups(const SearchSpace& space, bool multivariate,
                                                    bool grouped);

}  // namespace betatune
