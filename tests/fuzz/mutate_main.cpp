/// fuzz_TARGET FOLDER [CASES [SEED]]: tries every file of the folder, then so many changed ones,
/// drawn from the seed. Where a case breaks its promise, it is left in ./fuzz-case.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <iterator>
#include <vector>

#include "searchspaces/random.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

namespace fs = std::filesystem;
using betatune::Stream;

std::vector<std::string> read_corpus(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> out;
  for (const fs::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return out;
}

/// A byte changed, a piece removed, doubled, moved or taken from another input, a number made odd.
std::string mutate(std::string text, const std::string& other, Stream& stream) {
  static const std::vector<std::string> kOdd = {"-1",
                                                "0",
                                                "1e999",
                                                "18446744073709551616",
                                                "-9223372036854775808",
                                                "null",
                                                "NaN",
                                                "[]",
                                                "{}",
                                                "\"\"",
                                                "\xff",
                                                "\n",
                                                "9",
                                                "{\"a\":{\"a\":{\"a\":1}}}"};
  const auto place = [&](const std::string& in) {
    return static_cast<std::size_t>(stream.below(in.size() + 1));
  };
  const std::size_t at = place(text);
  const std::size_t count = std::min<std::size_t>(stream.below(60), text.size() - at);
  switch (stream.below(6)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(stream.below(256));
      break;
    case 1:
      text.erase(at, count);
      break;
    case 2:
      text.insert(place(text), text.substr(at, count));
      break;
    case 3: {
      const std::size_t from = place(other);
      text.insert(at, other.substr(from, stream.below(200)));
      break;
    }
    case 4: {
      // The number, if any, that begins at or after the place.
      const std::size_t digit = text.find_first_of("0123456789", at);
      if (digit == std::string::npos) break;
      const std::size_t end = std::min(text.find_first_not_of("0123456789.e-", digit), text.size());
      text.replace(digit, end - digit, kOdd[stream.below(kOdd.size())]);
      break;
    }
    default:
      text.resize(at);
      break;
  }
  return text;
}

void try_case(const std::string& text) {
  std::ofstream("fuzz-case", std::ios::binary) << text;
  betatune::fuzz::try_input(text);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " FOLDER [CASES [SEED]]\n";
    return 2;
  }
  testing::GTEST_FLAG(throw_on_failure) = true;
  const std::vector<std::string> corpus = read_corpus(argv[1]);
  const std::uint64_t cases = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 10'000;
  const std::uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  if (corpus.empty()) {
    std::cerr << argv[1] << " holds no inputs\n";
    return 2;
  }
  for (const std::string& each : corpus) try_case(each);
  for (std::uint64_t i = 0; i < cases; ++i) {
    Stream stream(betatune::fold_in(betatune::root_key(seed), i));
    std::string text = corpus[stream.below(corpus.size())];
    for (std::uint64_t n = 1 + stream.below(4); n > 0; --n) {
      text = mutate(std::move(text), corpus[stream.below(corpus.size())], stream);
    }
    try_case(text);
  }
  fs::remove("fuzz-case");
  std::cout << corpus.size() << " inputs and " << cases << " changed ones\n";
}
