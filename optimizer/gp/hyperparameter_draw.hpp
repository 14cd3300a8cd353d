#pragma once
/// A draw from the posterior of the hyper-parameters. The most probable ones are surer than the
/// results allow: a parameter that a dozen results say nothing about looks as if it did not matter,
/// and is not looked at again.

#include "optimizer/gp/marginal_likelihood.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// By slice sampling (Neal 2003), from `mode` on: one step along each logarithm, in drawn order (at
/// most 16 of them). Within the bounds of a fit. y: n outputs.
Hyperparameters draw_hyperparameters(const Training& data, const Eigen::VectorXd& y,
                                     const Hyperparameters& mode, Key key);

}  // namespace betatune
