#pragma once
/// The normal distribution's tails in log space, for acquisition functions.

namespace betatune {

/// Value of log h and its pieces: h(z) = phi(z) + z Phi(z), the expected improvement of a standard
/// normal below z.
struct LogImprovement {
  double log_h = 0;       ///< log h(z)
  double cdf_over_h = 0;  ///< Phi(z) / h(z) = d log h / dz
  double pdf_over_h = 0;  ///< phi(z) / h(z)
};

/// log Phi(z), to 1e-13 relative for every finite z.
double log_ndtr(double z);

/// Finite and accurate to about 1e-13 relative for every finite z: at z << 0 the difference of two
/// nearly equal numbers is replaced by the continued fraction of Mills' ratio, where it has no
/// cancellation.
/// source: Ament et al. 2023, arXiv:2310.20708; golden: tests/golden/gp/log_ei.json
LogImprovement log_improvement(double z);

}  // namespace betatune
