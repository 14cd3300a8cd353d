#pragma once
/// The only include of Boost.Asio.
///
/// Boost 1.74's asio/awaitable.hpp uses std::exchange without including <utility>, which GCC 12
/// does not forgive in C++20: hence the order of these includes.

// clang-format off
#include <utility>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
// clang-format on

namespace betatune {

namespace asio = boost::asio;

}  // namespace betatune
