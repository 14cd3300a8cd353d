#pragma once
/// Relativistic kinematics in natural units: energies, momenta and masses in GeV; the beam along z.

#include <algorithm>
#include <cmath>

namespace betatune::collisions {

struct FourMomentum {
  double e = 0, px = 0, py = 0, pz = 0;

  double pt() const { return std::hypot(px, py); }
  double p() const { return std::hypot(px, py, pz); }
  double phi() const { return std::atan2(py, px); }
  double eta() const { return std::asinh(pz / std::max(pt(), 1e-12)); }
  /// 0 where rounding has made the square negative.
  double mass() const { return std::sqrt(std::max(e * e - px * px - py * py - pz * pz, 0.0)); }

  FourMomentum operator+(const FourMomentum& o) const {
    return {e + o.e, px + o.px, py + o.py, pz + o.pz};
  }
  FourMomentum& operator+=(const FourMomentum& o) { return *this = *this + o; }
};

/// A particle of transverse momentum pt, pseudorapidity eta, azimuth phi and this mass.
inline FourMomentum from_pt_eta_phi(double pt, double eta, double phi, double mass = 0) {
  const double px = pt * std::cos(phi), py = pt * std::sin(phi), pz = pt * std::sinh(eta);
  return {std::sqrt(px * px + py * py + pz * pz + mass * mass), px, py, pz};
}

/// `v`, given in the rest frame of `frame`, as the laboratory sees it.
inline FourMomentum boosted(const FourMomentum& v, const FourMomentum& frame) {
  const double m = frame.mass();
  const double along = v.px * frame.px + v.py * frame.py + v.pz * frame.pz;
  const double e = (v.e * frame.e + along) / m;
  const double k = (v.e + e) / (frame.e + m);
  return {e, v.px + k * frame.px, v.py + k * frame.py, v.pz + k * frame.pz};
}

/// In (-pi, pi].
inline double delta_phi(double a, double b) {
  return std::remainder(a - b, 2 * M_PI);
}

/// Distance in the plane of pseudorapidity and azimuth.
inline double delta_r(const FourMomentum& a, const FourMomentum& b) {
  return std::hypot(a.eta() - b.eta(), delta_phi(a.phi(), b.phi()));
}

}  // namespace betatune::collisions
