#pragma once
/// Every maximum of the program in one place. A limit is part of the interface: docs name them.

#include <cstddef>
#include <cstdint>

namespace betatune::limits {

// Study files.
inline constexpr std::size_t kStudyFileBytes = 1u << 20;
inline constexpr int kYamlDepth = 64;
inline constexpr std::size_t kDiagnostics = 100;
inline constexpr std::size_t kIncludes = 64;
inline constexpr std::size_t kParameters = 1'000;
inline constexpr std::size_t kChoices = 10'000;
inline constexpr std::size_t kExpressionBytes = 4'096;
inline constexpr int kExpressionDepth = 64;
inline constexpr std::size_t kNameBytes = 128;

// Wire.
inline constexpr std::size_t kBodyBytes =
    512u << 10;  // a HELLO that holds kSlotsPerTrainer attempts fits
inline constexpr int kBodyDepth = 32;
inline constexpr std::size_t kBodyKeys = 1'024;  // per object; kParameters fit
inline constexpr std::size_t kFrames = 7;
inline constexpr std::int64_t kMessageBytes = 1 << 20;
inline constexpr std::size_t kFileChunkBytes = 256u << 10;  // of a file that travels, per message
inline constexpr std::size_t kFileChunksWaiting = 512;      // in the optimizer; more are dropped
inline constexpr std::size_t kFilePathBytes = 1'024;
inline constexpr std::size_t kFilesPerFolder = 100'000;
inline constexpr std::size_t kMetricsPerReport = 256;
inline constexpr std::size_t kUnacknowledgedReports = 256;
inline constexpr std::size_t kErrorTextBytes = 4u << 10;
inline constexpr int kSlotsPerTrainer = 4'096;
inline constexpr int kRanks = 1'024;  // of a trial, all on one machine

// Unix socket paths: sun_path holds 108 bytes with the terminating zero.
inline constexpr std::size_t kSocketPathBytes = 107;

// Service loop.
inline constexpr int kMessagesPerTurn = 256;
inline constexpr std::size_t kBytesPerTurn = 4u << 20;  // so that files do not hold up reports

}  // namespace betatune::limits
