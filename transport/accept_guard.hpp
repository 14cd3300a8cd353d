#pragma once
/// A process that has no descriptor left must not die of the next connection.
///
/// libzmq 4.3 aborts when accept4() says EMFILE on an ipc address (zeromq/libzmq#1306). The
/// executable's own accept4(), which comes before the C library's, keeps one descriptor in reserve
/// for that case: it takes the connection and closes it, and says ECONNABORTED, which libzmq knows
/// how to live with. The peer connects again later; connections that are open never notice.

namespace betatune {

/// Takes the reserve. Called by every ZmqContext; more than once does nothing.
void guard_accept();

}  // namespace betatune
