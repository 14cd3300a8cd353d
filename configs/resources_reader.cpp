// `resources`: numbers, or choices of them, and what is left open.

#include <algorithm>

#include "configs/study_reader.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

/// One problem is enough: a list that is wrong in one place is read again by its writer.
bool check_choices(const ConfigNode& list, const std::string& path, const std::vector<int>& choices,
                   Diagnostics& diagnostics) {
  if (choices.size() < 2) {
    diagnostics.error("E0208", "`" + path + "` needs two or more numbers", list.mark(),
                      "for one, write the number in the place of the mapping");
    return false;
  }
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const Mark& mark = list.items()[i].mark();
    const std::string place = "`" + path + "[" + std::to_string(i) + "]`";
    if (choices[i] < 1 || choices[i] > limits::kRanks) {
      diagnostics.error("E0105",
                        place + " must be between 1 and " + std::to_string(limits::kRanks) +
                            ", found " + std::to_string(choices[i]),
                        mark);
      return false;
    }
    if (i > 0 && choices[i] <= choices[i - 1]) {
      diagnostics.error("E0208",
                        place + " must be above the one before it (" +
                            std::to_string(choices[i - 1]) + "), found " +
                            std::to_string(choices[i]),
                        mark, "write them in ascending order, each once");
      return false;
    }
  }
  return true;
}

/// A number into `count`, or a mapping, of which nothing is returned if it is wrong.
std::optional<WidthsSpec> read_count(const ConfigNode& node, const std::string& path, int& count,
                                     Diagnostics& diagnostics) {
  if (node.kind() != ConfigNode::Kind::mapping) {
    read_config(node, path, diagnostics, count);
    return std::nullopt;
  }
  WidthFields fields;
  if (!read_config(node, path, diagnostics, fields)) return std::nullopt;
  const ConfigNode& list = *node.find("choices");
  if (!check_choices(list, path + ".choices", fields.choices, diagnostics)) return std::nullopt;
  return WidthsSpec{std::move(fields.choices), fields.policy, list.mark()};
}

void check_both(const ResourcesFields& file, const ResourcesSpec& read, Diagnostics& diagnostics) {
  const auto is_mapping = [](const std::optional<ConfigNode>& node) {
    return node && node->kind() == ConfigNode::Kind::mapping;
  };
  if (is_mapping(file.gpus) && file.ranks) {
    diagnostics.error("E0208", "`resources.ranks` has no use beside choices of `gpus`",
                      file.ranks->mark(), "a trial has a rank for each GPU: leave it out");
  } else if (is_mapping(file.ranks) && read.gpus > 0) {
    diagnostics.error("E0208", "choices of `resources.ranks` are for trials without GPUs",
                      file.gpus->mark(), "write the choices under `gpus`: a rank for each");
  }
}

void check_nodes(const ConfigNode& root, int nodes, Diagnostics& diagnostics) {
  const ConfigNode* node = node_at(root, "resources.nodes");
  if (nodes == 1 || node == nullptr) return;
  diagnostics.error(
      "E0105", "`resources.nodes` must be 1, found " + std::to_string(nodes), node->mark(),
      "the ranks of a trial are on one machine: give it the `ranks` or `gpus` of one; "
      "different trials may run on different machines");
}

}  // namespace

ResourcesSpec read_resources(const ConfigNode& root, const ResourcesFields& file, bool has_ranks,
                             Diagnostics& diagnostics) {
  ResourcesSpec read;
  read.cpus = file.cpus;
  read.rank_timeout = file.rank_timeout;
  read.elastic = file.elastic;
  std::optional<WidthsSpec> of_gpus, of_ranks;
  if (file.gpus) of_gpus = read_count(*file.gpus, "resources.gpus", read.gpus, diagnostics);
  if (file.ranks) {
    int ranks = 1;
    of_ranks = read_count(*file.ranks, "resources.ranks", ranks, diagnostics);
    if (file.ranks->kind() == ConfigNode::Kind::integer) read.ranks = ranks;
  }
  check_both(file, read, diagnostics);
  check_nodes(root, file.nodes, diagnostics);
  read.widths = of_gpus ? of_gpus : of_ranks;
  if (read.widths) {
    read.ranks = read.widths->widest();
    if (of_gpus) read.gpus = read.widths->widest();
  } else if (!read.ranks && has_ranks && read.gpus > 1) {
    read.ranks = read.gpus;
  }
  if (node_at(root, "resources.cpus") == nullptr) read.cpus = std::max(read.cpus, read.world());
  return read;
}

}  // namespace betatune
