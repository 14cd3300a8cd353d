/// fuzz_TARGET FOLDER [CASES [SEED]]: tries every file of the folder, then so many changed ones,
/// drawn from the seed. Where a case breaks its promise, it is left in ./fuzz-case.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <iterator>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "searchspaces/random.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/mutated_text.hpp"

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

const std::vector<std::string> kOdd = {"-1",
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

/// The case that is being tried, in memory that outlives the process that tries it, however it
/// dies.
class CaseInHand {
 public:
  CaseInHand()
      : memory_(static_cast<Memory*>(::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (memory_ == MAP_FAILED) std::perror("mmap"), std::exit(2);
  }
  bool fits(const std::string& text) const { return text.size() <= sizeof memory_->bytes; }
  void hold(const std::string& text) {
    memory_->size = text.size();
    text.copy(memory_->bytes, text.size());
  }
  std::string_view held() const { return {memory_->bytes, memory_->size}; }

 private:
  struct Memory {
    std::size_t size;
    char bytes[std::size_t{16} << 20];
  };
  Memory* memory_;
};

void try_all(const std::vector<std::string>& corpus, std::uint64_t cases, std::uint64_t seed,
             CaseInHand& in_hand) {
  const auto try_case = [&](const std::string& text) {
    if (!in_hand.fits(text)) return;
    in_hand.hold(text);
    betatune::fuzz::try_input(text);
  };
  for (const std::string& each : corpus) try_case(each);
  for (std::uint64_t i = 0; i < cases; ++i) {
    Stream stream(betatune::fold_in(betatune::root_key(seed), i));
    std::string text = corpus[stream.below(corpus.size())];
    for (std::uint64_t n = 1 + stream.below(4); n > 0; --n) {
      const std::string& other = corpus[stream.below(corpus.size())];
      text = betatune::support::mutated(std::move(text), other, kOdd, stream);
    }
    try_case(text);
  }
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
  CaseInHand in_hand;
  const pid_t child = ::fork();
  if (child == 0) {
    try_all(corpus, cases, seed, in_hand);
    ::_exit(0);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return 2;
  if (status != 0) {
    std::ofstream("fuzz-case", std::ios::binary) << in_hand.held();
    std::cerr << "the case that broke it is in ./fuzz-case\n";
    return 1;
  }
  std::cout << corpus.size() << " inputs and " << cases << " changed ones\n";
}
