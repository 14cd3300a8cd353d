// Every file of searchspaces/*.yaml: read as a study would, alone and beside others.

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"

namespace betatune {
namespace {

std::vector<std::string> ready_spaces() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(BETATUNE_SOURCE_DIR "/searchspaces")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The space of a study that includes these files and has nothing of its own.
SearchSpace space_with(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names)
    list += (list.empty() ? "" : ", ") + ("searchspaces/" + name + ".yaml");
  const std::string study =
      "version: 1\n"
      "study: {name: ready}\n"
      "objective: {metric: loss}\n"
      "parameters: {include: [" +
      list +
      "]}\n"
      "stopping: {trials: 1}\n"
      "trainer: {external: true}\n";
  Diagnostics diagnostics;
  const ConfigNode document = ConfigNode::parse(study, "study.yaml", diagnostics);
  const StudySpec spec = read_study(document, BETATUNE_SOURCE_DIR, diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  return spec.space;
}

void expect_usable(const SearchSpace& space) {
  EXPECT_GT(space.dims(), 0);
  for (std::uint64_t n = 0; n < 200; ++n) {
    const Configuration drawn = space.sample(fold_in(root_key(1), n));
    const Status status = space.check(drawn);
    ASSERT_TRUE(status) << status.error().message;
  }
}

class ReadySpace : public ::testing::TestWithParam<std::string> {};

TEST_P(ReadySpace, CanBeTakenInAlone) {
  expect_usable(space_with({GetParam()}));
}

TEST_P(ReadySpace, HasADefaultForEveryParameter) {
  const SearchSpace space = space_with({GetParam()});

  const auto complete = space.complete({});

  ASSERT_TRUE(complete) << complete.error().message;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& file) {
  std::string name = file.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Files, ReadySpace, ::testing::ValuesIn(ready_spaces()), test_name);

TEST(ReadySpaces, ModelsOptimizersAndSchedulesGoTogether) {
  for (const std::string model : {"mlp", "cnn", "mlp-or-cnn", "transformer"}) {
    for (const std::string optimizer : {"sgd", "adamw", "optimizers"}) {
      SCOPED_TRACE(model + " with " + optimizer);
      expect_usable(space_with({model, optimizer, "lr-schedule", "batch"}));
    }
  }
}

}  // namespace
}  // namespace betatune
