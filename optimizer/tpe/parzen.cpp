#include "optimizer/tpe/parzen.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "optimizer/numerics/normal_quantile.hpp"
#include "optimizer/tpe/kernels.hpp"

namespace betatune {
namespace {

/// Least width of a normal kernel: what a handful of good results says about the next digit.
constexpr double kNarrowest = 0.03;
/// Probability that the kernel of a choice gives to all others together.
constexpr double kChoiceSpread = 0.2;
constexpr double kLogSqrt2Pi = 0.91893853320467274178;

/// Indices of `values` (in [0,1]) by size: radix sort on 32 bits, stable. Values closer than 2^-32
/// may keep their order.
std::vector<std::uint32_t> order_of(const std::vector<double>& values) {
  constexpr std::size_t kBits = 11, kBuckets = std::size_t{1} << kBits, kPasses = 3;
  const std::size_t n = values.size();
  std::vector<std::uint64_t> keys(n), sorted(n);
  for (std::size_t i = 0; i < n; ++i) {
    keys[i] = static_cast<std::uint64_t>(values[i] * 4294967295.0) << 32 | i;
  }
  for (std::size_t pass = 0; pass < kPasses; ++pass) {
    const std::size_t shift = 32 + pass * kBits;
    std::array<std::uint32_t, kBuckets + 1> ends{};
    for (const std::uint64_t key : keys) ++ends[(key >> shift) % kBuckets + 1];
    for (std::size_t b = 0; b < kBuckets; ++b) ends[b + 1] += ends[b];
    for (const std::uint64_t key : keys) sorted[ends[(key >> shift) % kBuckets]++] = key;
    keys.swap(sorted);
  }
  std::vector<std::uint32_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(keys[i]);
  return order;
}

/// Log of the integral of exp(-(u - centre)^2 / (2 width^2)) from `low` to `high`.
double log_integral(double centre, double width, double low = 0, double high = 1) {
  const double mass = normal_mass((low - centre) / width, (high - centre) / width);
  return std::log(std::max(mass, 1e-300) * width) + kLogSqrt2Pi;
}

}  // namespace

std::vector<double> neighbour_widths(const std::vector<double>& centres, double narrowest) {
  // Within a bucket every gap is below `narrowest`, so only the outermost centres of a bucket may
  // have a wider kernel: no need to sort.
  constexpr std::size_t kBuckets = 64;
  BETATUNE_ASSERT(narrowest >= 1.0 / kBuckets);
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::array<std::size_t, kBuckets> lowest{}, highest{};
  lowest.fill(kNone);
  highest.fill(kNone);
  for (std::size_t i = 0; i < centres.size(); ++i) {
    const auto bucket = std::min(kBuckets - 1, static_cast<std::size_t>(centres[i] * kBuckets));
    if (lowest[bucket] == kNone || centres[i] < centres[lowest[bucket]]) lowest[bucket] = i;
    if (highest[bucket] == kNone || centres[i] >= centres[highest[bucket]]) highest[bucket] = i;
  }
  std::vector<double> widths(centres.size(), narrowest);
  const auto widen = [&](std::size_t i, double gap) {
    widths[i] = std::clamp(gap, widths[i], 1.0);
  };
  std::size_t before = kNone;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (lowest[bucket] == kNone) continue;
    const double gap = centres[lowest[bucket]] - (before == kNone ? 0 : centres[before]);
    widen(lowest[bucket], gap);
    if (before != kNone) widen(before, gap);
    before = highest[bucket];
  }
  if (before != kNone) widen(before, 1 - centres[before]);
  return widths;
}

double NormaliserCache::log_normaliser(std::size_t trial, double centre, double width) {
  if (trial == KernelCentres::kNoTrial) return log_integral(centre, width);
  if (trial >= by_trial_.size()) by_trial_.resize(trial + 1);
  Entry& entry = by_trial_[trial];
  if (entry.width != width) entry = {width, log_integral(centre, width)};
  return entry.value;
}

ParzenColumn::ParzenColumn(const ParzenAxis& axis, const KernelCentres& from, std::size_t column,
                           NormaliserCache& cache)
    : axis_(axis), centres_(from.columns[column]) {
  if (axis.kind() == ParzenAxis::Kind::choice) {
    make_choices();
  } else {
    make_normals(from, cache);
  }
}

void ParzenColumn::make_choices() {
  centres_.push_back(-1);  // the prior's: like no choice
  if (axis_.levels() == 1) return;
  same_ = 1 - kChoiceSpread;
  other_ = kChoiceSpread / static_cast<double>(axis_.levels() - 1);
}

void ParzenColumn::make_normals(const KernelCentres& from, NormaliserCache& cache) {
  const std::size_t n = centres_.size();
  const bool grid = axis_.kind() == ParzenAxis::Kind::grid;
  const double cell = grid ? 1 / static_cast<double>(axis_.levels()) : 0;
  widths_ = neighbour_widths(centres_, std::max(kNarrowest, 0.5 * cell));
  log_normalisers_.resize(n + 1);
  for (std::size_t i = 0; i < n; ++i) {
    log_normalisers_[i] = cache.log_normaliser(from.trials[i], centres_[i], widths_[i]);
  }
  centres_.push_back(0.5);
  widths_.push_back(1);
  log_normalisers_[n] = log_integral(0.5, 1);
  if (grid) {
    make_shapes();
    return;
  }
  factors_.resize(n + 1);
  for (std::size_t i = 0; i <= n; ++i) factors_[i] = 0.5 / (widths_[i] * widths_[i]);
}

void ParzenColumn::make_shapes() {
  const std::size_t n = centres_.size();
  std::vector<std::uint32_t> order = order_of(centres_);
  shape_of_.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    const std::uint32_t i = order[k];
    const bool as_before = !shapes_.empty() && centres_[shapes_.back()] == centres_[i] &&
                           widths_[shapes_.back()] == widths_[i];
    if (!as_before) shapes_.push_back(i);
    shape_of_[i] = static_cast<std::uint32_t>(shapes_.size() - 1);
  }
}

void ParzenColumn::add_log_normalisers(double* out) const {
  for (std::size_t i = 0; i < log_normalisers_.size(); ++i) out[i] -= log_normalisers_[i];
}

void ParzenColumn::add_log_kernels(double u, double* out) const {
  const std::size_t n = centres_.size();
  if (axis_.kind() == ParzenAxis::Kind::line) {
    return kernels::subtract_squares(u, centres_.data(), factors_.data(), n, out);
  }
  if (axis_.kind() == ParzenAxis::Kind::choice) {
    kernels::add_matches(u, std::log(same_), std::log(other_), centres_.data(), n - 1, out);
    out[n - 1] -= std::log(static_cast<double>(axis_.levels()));
    return;
  }
  const Cell cell = axis_.cell(u);
  std::vector<double> at(shapes_.size());
  for (std::size_t s = 0; s < at.size(); ++s) {
    at[s] = log_integral(centres_[shapes_[s]], widths_[shapes_[s]], cell.low, cell.high);
  }
  for (std::size_t i = 0; i < n; ++i) out[i] += at[shape_of_[i]];
}

double ParzenColumn::draw(std::size_t kernel, Stream& stream) const {
  if (axis_.kind() == ParzenAxis::Kind::choice) return choice_draw(kernel, stream);
  const double centre = centres_[kernel], width = widths_[kernel];
  const double low = normal_cdf(-centre / width), high = normal_cdf((1 - centre) / width);
  const double z = normal_quantile(low + stream.uniform() * (high - low));
  return axis_.snap(std::clamp(centre + width * z, 0.0, 1.0));
}

double ParzenColumn::choice_draw(std::size_t kernel, Stream& stream) const {
  const bool prior = kernel + 1 == centres_.size();
  const double stays = stream.uniform();
  if (!prior && (stays < same_ || axis_.levels() == 1)) return centres_[kernel];
  const auto choices = static_cast<double>(axis_.levels());
  if (prior) return axis_.snap((static_cast<double>(stream.below(axis_.levels())) + 0.5) / choices);
  // One of the others: a step round the circle of choices.
  const double step = static_cast<double>(1 + stream.below(axis_.levels() - 1)) / choices;
  const double moved = centres_[kernel] + step;
  return axis_.snap(moved < 1 ? moved : moved - 1);
}

ParzenMixture::ParzenMixture(const std::vector<ParzenAxis>& axes, const KernelCentres& centres,
                             double prior_weight, std::vector<NormaliserCache>& caches) {
  const std::size_t n = centres.size();
  double total = 0;
  cumulative_.reserve(n + 1);
  for (const double weight : centres.weights) cumulative_.push_back(total += weight);
  cumulative_.push_back(total += prior_weight);
  base_.resize(n + 1);
  for (std::size_t i = 0; i < n; ++i) base_[i] = std::log(centres.weights[i] / total);
  base_[n] = std::log(prior_weight / total);
  columns_.reserve(axes.size());
  for (std::size_t j = 0; j < axes.size(); ++j) {
    columns_.emplace_back(axes[j], centres, j, caches[j]);
    columns_.back().add_log_normalisers(base_.data());
  }
}

std::size_t ParzenMixture::draw_kernel(Stream& stream) const {
  const double at = stream.uniform() * cumulative_.back();
  const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
  return std::min(static_cast<std::size_t>(found - cumulative_.begin()), cumulative_.size() - 1);
}

double ParzenMixture::log_density(const std::vector<double>& point) const {
  sums_ = base_;
  for (std::size_t j = 0; j < columns_.size(); ++j) {
    columns_[j].add_log_kernels(point[j], sums_.data());
  }
  return kernels::log_sum_exp(sums_.data(), sums_.size());
}

}  // namespace betatune
