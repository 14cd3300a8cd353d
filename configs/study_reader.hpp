#pragma once
/// The steps of reading a study file, one file each. Private to configs/.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/study_file.hpp"

namespace betatune {

struct ReadContext {
  std::filesystem::path directory;  ///< of the study file, for relative paths
  Diagnostics& diagnostics;
};

/// The node at a dotted path ("trials.retry.infra"), or nullptr.
const ConfigNode* node_at(const ConfigNode& root, std::string_view path);
/// Its mark, or that of the nearest mapping above it.
Mark mark_at_path(const ConfigNode& root, std::string_view path);

/// `name` beside the study file, or in the working directory; nothing if it is in neither.
std::optional<std::filesystem::path> find_beside(const std::filesystem::path& name,
                                                 const std::filesystem::path& directory);

/// The entries of `parameters:` with included files taken in, own keys first to win. includes.cpp
std::vector<ConfigNode::Entry> collect_parameters(const ConfigNode& parameters,
                                                  const ReadContext& context);

/// One parameter and the places of its parts.
struct ParsedParameter {
  Parameter parameter;
  Mark name_mark;
  ConfigNode node;
  bool broken = false;  ///< reported; what could be read is still there
};

/// Type, bounds, choices, condition; nothing if there is nothing to go on with.
/// parameter_reader.cpp
std::optional<ParsedParameter> read_parameter(const ConfigNode::Entry& entry,
                                              Diagnostics& diagnostics);
/// Problems point into the scalar. `path` in words.
std::optional<Expression> read_expression(const ConfigNode& node, const std::string& path,
                                          Diagnostics& diagnostics);

/// Takes "column N: " (1-based) from the front of an expression's error; 1 if it is not there.
std::size_t take_column(std::string& message);

/// The whole space: parameters, constraints, and how they refer to each other. space_reader.cpp
SearchSpace read_space(const std::vector<ConfigNode::Entry>& parameters,
                       const ConfigNode& parameters_node, const ConfigNode& constraints,
                       Diagnostics& diagnostics);

/// Most that a study may have: what improves on a front of more, nobody computes exactly.
inline constexpr std::size_t kMostObjectives = 4;

/// `objective` or `objectives`. outcome_reader.cpp
void read_objectives(const ConfigNode& root, const StudyFile& file, StudySpec& spec,
                     Diagnostics& diagnostics);
/// Limits on metrics; a name of a parameter in one is a mistake. outcome_reader.cpp
std::vector<Inequality> read_outcome_constraints(const ConfigNode& node,
                                                 const std::vector<std::string>& parameter_names,
                                                 Diagnostics& diagnostics);

/// `resources`, with what it leaves open: a trainer that has ranks gets one per GPU, and a rank at
/// least one CPU. resources_reader.cpp
ResourcesSpec read_resources(const ConfigNode& root, const ResourcesFields& file, bool has_ranks,
                             Diagnostics& diagnostics);

/// Searcher, scheduler, initial points; the points are checked only if the space is known to be
/// good. algorithm_reader.cpp
AlgorithmSpec read_algorithm(const ConfigNode& node, Diagnostics& diagnostics);
void check_initial_points(const InitialSpec& initial, const SearchSpace& space,
                          Diagnostics& diagnostics);
/// Where the defaults make a configuration that no point is, it comes first.
void add_default_point(const SearchSpace& space, InitialSpec& initial);

/// What types cannot say: ranges, names, sections that need each other. study_checks.cpp
void check_study(const ConfigNode& root, const StudySpec& spec, Diagnostics& diagnostics);
/// Exactly one kind of trainer, its placeholders, its files (made absolute). trainer_checks.cpp
void check_trainer(const ConfigNode& root, const ReadContext& context,
                   const std::vector<std::string>& parameter_names, StudySpec& spec);

}  // namespace betatune
