#pragma once
/// Conversations as files that two runs write alike: what differs from one run to the next
/// (sessions, names of trainers, tokens, folders) has another value of its kind in its place, so
/// that every line is still a message that can be read.

#include <filesystem>
#include <string>
#include <vector>

#include "optimizer/tck/case.hpp"

namespace betatune::tck {

/// A line "T> VERB {...}" or "O> VERB {...}" per message, with " (N bytes)" where part of a file
/// came with it. Of an ASSIGN's job, keys with their default values are left out. Lines that are no
/// messages, as cases send some, stay as they are.
std::string plain_transcript(const std::vector<std::string>& lines);

/// FOLDER/ID.txt per case that has run, with a first line about it. The folder is made if need be.
/// Errors: unavailable.
Status write_transcripts(const std::filesystem::path& folder, const std::vector<Outcome>& outcomes);

}  // namespace betatune::tck
