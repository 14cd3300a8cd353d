#pragma once
/// For kernels that are one inline template, compiled for three vector widths, of which one is
/// picked at run time.

#define BETATUNE_INLINE [[gnu::always_inline]] inline

namespace betatune::dense {

using Vector2 = double __attribute__((vector_size(16)));
using Vector4 = double __attribute__((vector_size(32)));
using Vector8 = double __attribute__((vector_size(64)));

}  // namespace betatune::dense
