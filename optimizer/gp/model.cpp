#include "optimizer/gp/model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "optimizer/gp/output_transform.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kAlways = 50;       ///< refitted at every result up to here
constexpr Eigen::Index kLongest = 300;     ///< results between two fits, at most
constexpr Eigen::Index kFitRows = 250;     ///< rows that a fit looks at
constexpr Eigen::Index kModelRows = 1200;  ///< rows of the posterior at a fit

bool same_losses(const Eigen::VectorXd& a, const Eigen::Ref<const Eigen::VectorXd>& b) {
  if (a.size() != b.size()) return false;
  for (Eigen::Index i = 0; i < a.size(); ++i) {
    if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))) return false;
  }
  return true;
}

RowMatrix pick(const RowMatrix& points, std::span<const Eigen::Index> rows) {
  RowMatrix out(std::ssize(rows), points.cols());
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = points.row(rows[static_cast<std::size_t>(i)]);
  }
  return out;
}

Eigen::VectorXd pick(const Eigen::VectorXd& values, std::span<const Eigen::Index> rows) {
  Eigen::VectorXd out(std::ssize(rows));
  for (Eigen::Index i = 0; i < out.size(); ++i) out[i] = values[rows[static_cast<std::size_t>(i)]];
  return out;
}

}  // namespace

Eigen::Index refit_size(Eigen::Index n) {
  Eigen::Index size = std::min(n, kAlways);
  while (size >= kAlways) {
    const Eigen::Index next = size + std::clamp<Eigen::Index>(size / 20, 1, kLongest);
    if (next > n) break;
    size = next;
  }
  return size;
}

std::vector<Eigen::Index> choose_rows(const Eigen::VectorXd& losses, Eigen::Index count) {
  const Eigen::Index n = losses.size();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  if (n <= count) return order;
  std::vector<bool> chosen(order.size(), false);
  for (Eigen::Index i = n - count / 3; i < n; ++i) chosen[static_cast<std::size_t>(i)] = true;
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
    return losses[a] < losses[b] || (!std::isnan(losses[a]) && std::isnan(losses[b]));
  });
  Eigen::Index taken = count / 3;
  for (Eigen::Index i = 0; i < n && taken < 2 * (count / 3); ++i) {
    const auto row = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
    if (!chosen[row]) ++taken;
    chosen[row] = true;
  }
  std::vector<Eigen::Index> others, out;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (!chosen[static_cast<std::size_t>(i)]) others.push_back(i);
  }
  const auto wanted = static_cast<std::size_t>(count - taken);
  for (std::size_t i = 0; i < wanted; ++i) {
    chosen[static_cast<std::size_t>(others[i * others.size() / wanted])] = true;
  }
  for (Eigen::Index i = 0; i < n; ++i) {
    if (chosen[static_cast<std::size_t>(i)]) out.push_back(i);
  }
  return out;
}

void GpModel::fit(const Observations& data, Eigen::Index size) {
  const auto ids = std::span(data.trials).first(static_cast<std::size_t>(size));
  if (gp_ != nullptr && std::ranges::equal(ids, fitted_trials_) &&
      same_losses(fitted_losses_, data.losses.head(size))) {
    return;
  }
  fitted_trials_.assign(ids.begin(), ids.end());
  fitted_losses_ = data.losses.head(size);
  Hyperparameters found = Hyperparameters::prior_mode(map_.columns());
  if (fitted_losses_.array().isFinite().any()) {
    const std::vector<Eigen::Index> rows = choose_rows(fitted_losses_, kFitRows);
    const Eigen::VectorXd y = pick(transform_outputs(fitted_losses_), rows);
    found = fit_hyperparameters(map_, map_.map(pick(data.points, rows)), y);
  }
  gp_ = std::make_unique<GaussianProcess>(map_, std::move(found));
  gp_trials_.clear();
}

std::vector<Eigen::Index> GpModel::rows_of(const Observations& data) const {
  std::vector<Eigen::Index> rows = choose_rows(fitted_losses_, kModelRows);
  for (Eigen::Index i = fitted_losses_.size(); i < data.size(); ++i) rows.push_back(i);
  return rows;
}

GaussianProcess& GpModel::condition(const Observations& data) {
  // Trials that end late change the first results after they were fitted; those that may still do
  // so are left to the next fit.
  const Eigen::Index settled =
      std::max(std::min(data.size(), kAlways), data.size() - data.pending.rows());
  fit(data, refit_size(settled));
  const std::vector<Eigen::Index> rows = rows_of(data);
  std::vector<std::size_t> ids;
  for (const Eigen::Index row : rows) ids.push_back(data.trials[static_cast<std::size_t>(row)]);
  const auto common =
      static_cast<std::size_t>(std::ranges::mismatch(ids, gp_trials_).in1 - ids.begin());
  gp_->truncate(static_cast<Eigen::Index>(common));
  gp_->append(map_.map(pick(data.points, std::span(rows).subspan(common))));
  gp_trials_ = std::move(ids);
  gp_->set_outputs(pick(transform_outputs(data.losses), rows));
  return *gp_;
}

}  // namespace betatune
