#pragma once
/// A TCP port for the ranks of one attempt, which rank 0 will listen at.
///
/// To look for a free port and to let go of it leaves a moment in which another program takes it.
/// This one stays bound here, without listening, until the attempt is over: Linux then gives it to
/// nobody who asks for any free port, neither to another gang nor to an outgoing connection, and
/// lets a socket with SO_REUSEADDR (as all servers set it: PyTorch's, gRPC's, Python's) bind it
/// too.

#include "trainers/posix.hpp"

namespace betatune {

class ReservedPort {
 public:
  /// Free on all of the machine's addresses. Errors: unavailable.
  static Result<ReservedPort> reserve();

  int number() const { return number_; }

 private:
  UniqueFd socket_;
  int number_ = 0;
};

}  // namespace betatune
