#pragma once
/// The study file's keys as described structs: the reader, the JSON Schema and the tables of
/// docs/study-file.md all come from these lists. StudySpec is what they become after checking.

#include <optional>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"

namespace betatune {

constexpr auto enum_names(Scale) {
  return std::array{EnumName<Scale>{Scale::linear, "linear"}, EnumName<Scale>{Scale::log, "log"},
                    EnumName<Scale>{Scale::logit, "logit"}};
}

constexpr auto enum_names(Confidence) {
  return std::array{EnumName<Confidence>{Confidence::low, "low"},
                    EnumName<Confidence>{Confidence::medium, "medium"},
                    EnumName<Confidence>{Confidence::high, "high"}};
}

enum class ParameterType { real, integer, ordinal, categorical };
constexpr auto enum_names(ParameterType) {
  return std::array{EnumName<ParameterType>{ParameterType::real, "float"},
                    EnumName<ParameterType>{ParameterType::integer, "int"},
                    EnumName<ParameterType>{ParameterType::ordinal, "ordinal"},
                    EnumName<ParameterType>{ParameterType::categorical, "categorical"}};
}

namespace field_docs {
inline constexpr const char* kWhen =
    "The parameter exists only where this holds: a mapping {other: value} or {other: [a, b]}, or "
    "an expression.";
inline constexpr const char* kDefault =
    "Used where a value is left out. If all parameters have one, the first trial tries them.";
inline constexpr const char* kPrior = "Where you believe the best value is.";
}  // namespace field_docs

struct PriorFields {
  Value center = 0.0;
  Confidence confidence = Confidence::medium;
  static constexpr auto fields() {
    return std::tuple{
        Field{"center", &PriorFields::center, "The value you would try by hand."},
        defaulted("confidence", &PriorFields::confidence,
                  "low, medium or high: how narrowly the search looks round it at first.")};
  }
};

struct RealFields {
  ParameterType type = ParameterType::real;
  double min = 0;
  double max = 1;
  Scale scale = Scale::linear;
  std::optional<double> step;
  std::optional<Value> default_value;
  std::optional<PriorFields> prior;
  std::optional<ConfigNode> when;
  static constexpr auto fields() {
    return std::tuple{
        Field{"type", &RealFields::type, "float: a real number."},
        Field{"min", &RealFields::min, "Smallest value, inclusive."},
        Field{"max", &RealFields::max, "Largest value, inclusive."},
        defaulted("scale", &RealFields::scale,
                  "How the range is searched: linear, log (min > 0) or logit (0 < min, max < 1)."),
        Field{"step", &RealFields::step, "Only min, min + step, ... are tried; linear scale only."},
        Field{"default", &RealFields::default_value, field_docs::kDefault},
        Field{"prior", &RealFields::prior, field_docs::kPrior},
        Field{"when", &RealFields::when, field_docs::kWhen}};
  }
};

struct IntegerFields {
  ParameterType type = ParameterType::integer;
  std::int64_t min = 0;
  std::int64_t max = 1;
  Scale scale = Scale::linear;
  std::int64_t step = 1;
  std::optional<Value> default_value;
  std::optional<PriorFields> prior;
  std::optional<ConfigNode> when;
  static constexpr auto fields() {
    return std::tuple{
        Field{"type", &IntegerFields::type, "int: a whole number."},
        Field{"min", &IntegerFields::min, "Smallest value, inclusive."},
        Field{"max", &IntegerFields::max, "Largest value, inclusive."},
        defaulted("scale", &IntegerFields::scale, "How the range is searched: linear or log."),
        defaulted("step", &IntegerFields::step, "Only min, min + step, ... are tried."),
        Field{"default", &IntegerFields::default_value, field_docs::kDefault},
        Field{"prior", &IntegerFields::prior, field_docs::kPrior},
        Field{"when", &IntegerFields::when, field_docs::kWhen}};
  }
};

/// Ordinal and categorical alike.
struct ChoiceFields {
  ParameterType type = ParameterType::categorical;
  std::vector<Value> values;
  std::optional<Value> default_value;
  std::optional<PriorFields> prior;
  std::optional<ConfigNode> when;
  static constexpr auto fields() {
    return std::tuple{
        Field{"type", &ChoiceFields::type,
              "categorical: values without an order; ordinal: values listed in their order."},
        Field{"values", &ChoiceFields::values, "The choices: numbers, words or true/false."},
        Field{"default", &ChoiceFields::default_value, field_docs::kDefault},
        Field{"prior", &ChoiceFields::prior, field_docs::kPrior},
        Field{"when", &ChoiceFields::when, field_docs::kWhen}};
  }
};

struct ConstantFields {
  Value value = false;
  std::optional<ConfigNode> when;
  static constexpr auto fields() {
    return std::tuple{
        Field{"value", &ConstantFields::value, "Handed to every trial, never searched."},
        Field{"when", &ConstantFields::when, field_docs::kWhen}};
  }
};

struct DerivedFields {
  ConfigNode derived;
  std::optional<ConfigNode> when;
  static constexpr auto fields() {
    return std::tuple{
        Field{"derived", &DerivedFields::derived, "An expression of other parameters."},
        Field{"when", &DerivedFields::when, field_docs::kWhen}};
  }
};

/// `algorithm:` and `algorithm.scheduler:` hold these beside the options of what they name.
struct AlgorithmFields {
  std::string name = "auto";
  ConfigNode scheduler;
  InitialSpec initial;
  std::optional<TransferSpec> transfer;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("name", &AlgorithmFields::name,
                  "The searcher: auto, gp, random, sobol, grid ... Its options stand beside it."),
        defaulted("scheduler", &AlgorithmFields::scheduler,
                  "How long each trial trains: a name, or a mapping of `name` and its options."),
        defaulted("initial", &AlgorithmFields::initial, "What is tried before the searcher."),
        Field{"transfer", &AlgorithmFields::transfer, "Earlier studies from which it learns."}};
  }
};
struct SchedulerFields {
  std::string name = "auto";
  static constexpr auto fields() {
    return std::tuple{
        defaulted("name", &SchedulerFields::name,
                  "auto, fifo, asha, freeze-thaw, hyperband ... Its options stand beside "
                  "it. auto: fifo without a fidelity; with one freeze-thaw, or asha "
                  "if there are several objectives or the searcher is neither auto "
                  "nor gp.")};
  }
};

/// An entry of `objectives`.
struct ObjectiveFields {
  std::string metric = "loss";
  Goal goal = Goal::minimize;
  std::optional<double> threshold;
  std::optional<double> target;
  static constexpr auto fields() {
    return std::tuple{
        Field{"metric", &ObjectiveFields::metric, "Name of the reported metric that is optimized."},
        defaulted("goal", &ObjectiveFields::goal, "minimize or maximize."),
        Field{"threshold", &ObjectiveFields::threshold,
              "The worst value of any interest; left out, it follows from the results."},
        Field{"target", &ObjectiveFields::target,
              "The study ends when one trial reaches the targets of all objectives."}};
  }
};

/// In the place of a number of `resources.gpus` or `resources.ranks`.
struct WidthFields {
  std::vector<int> choices;
  WidthPolicy policy = WidthPolicy::scale_with_rung;
  static constexpr auto fields() {
    return std::tuple{
        Field{"choices", &WidthFields::choices,
              "Numbers of ranks (with `gpus`: of GPUs, a rank for each) that an attempt may have."},
        defaulted("policy", &WidthFields::policy,
                  "scale-with-rung: few at the lowest rung, most at the highest one.")};
  }
};

/// `gpus` and `ranks` are numbers, or hold WidthFields.
struct ResourcesFields {
  int cpus = 1;
  std::optional<ConfigNode> gpus, ranks;
  int nodes = 1;
  Duration rank_timeout{10};
  std::optional<ElasticSpec> elastic;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("cpus", &ResourcesFields::cpus,
                  "CPU threads of one trial, shared out to its ranks; `ranks` if not given."),
        Field{"gpus", &ResourcesFields::gpus,
              "GPUs of one trial, shared out to its ranks; or how many it may have."},
        Field{"ranks", &ResourcesFields::ranks,
              "Processes of one trial that train together; default: one per GPU, at least one. Or "
              "how "
              "many it may have."},
        defaulted("nodes", &ResourcesFields::nodes,
                  "Machines that one trial is spread over: 1, all its ranks are on one."),
        defaulted("rank_timeout", &ResourcesFields::rank_timeout,
                  "How long one rank may keep the others waiting before the attempt ends."),
        Field{"elastic", &ResourcesFields::elastic,
              "Each loss of a trial's machine or of one of its ranks leaves one rank fewer to the "
              "next attempt."}};
  }
};

/// The top level.
struct StudyFile {
  int version = 1;
  StudySection study;
  ObjectiveSpec objective;
  std::optional<std::vector<ObjectiveFields>> objectives;
  ConfigNode parameters;
  ConfigNode constraints;
  ConfigNode outcome_constraints;
  std::optional<FidelitySpec> fidelity;
  ConfigNode algorithm;
  StoppingSpec stopping;
  TrialsSpec trials;
  NoiseSpec noise;
  TrainerSpec trainer;
  ResourcesFields resources;
  LauncherSpec launcher;
  ServerSpec server;
  StorageSpec storage;
  static constexpr auto fields() {
    return std::tuple{
        Field{"version", &StudyFile::version, "Of the study-file format: 1."},
        Field{"study", &StudyFile::study, "Name, seed and tags."},
        defaulted("objective", &StudyFile::objective, "What is optimized."),
        Field{"objectives", &StudyFile::objectives,
              "Several objectives, up to four, in the place of `objective`."},
        Field{"parameters", &StudyFile::parameters, "The search space: name -> parameter."},
        defaulted("constraints", &StudyFile::constraints,
                  "Expressions that every configuration meets, checked before anything runs."),
        defaulted("outcome_constraints", &StudyFile::outcome_constraints,
                  "Limits on reported metrics that the best trial must meet."),
        Field{"fidelity", &StudyFile::fidelity,
              "The axis along which a trial can be trained less."},
        defaulted("algorithm", &StudyFile::algorithm,
                  "Searcher, scheduler and initial points: a name or a mapping."),
        defaulted("stopping", &StudyFile::stopping, "The budget: totals, never \"N more\"."),
        defaulted("trials", &StudyFile::trials, "Parallelism, retries and limits of trials."),
        defaulted("noise", &StudyFile::noise, "Repeats, and the confirmation of the best."),
        Field{"trainer", &StudyFile::trainer,
              "What runs a trial: one of plugin, command, external."},
        defaulted("resources", &StudyFile::resources, "What one trial occupies."),
        defaulted("launcher", &StudyFile::launcher, "Who starts trainer processes."),
        defaulted("server", &StudyFile::server, "Where trainers connect."),
        defaulted("storage", &StudyFile::storage, "Where the study is kept.")};
  }
};

}  // namespace betatune
