#include "configs/study_spec.hpp"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFull = R"(version: 1
study: {name: jet-tagger, seed: 42, tags: {experiment: atlas}}
objective: {metric: val_loss, goal: maximize, target: 0.12}
parameters:
  optimizer: {type: categorical, values: [sgd, adamw, lamb]}
  lr: {type: float, min: 1e-5, max: 1e-1, scale: log, default: 1e-3}
  batch_size: {type: ordinal, values: [64, 128, 256]}
  layers: {type: int, min: 2, max: 12}
  hidden: {type: int, min: 64, max: 2048, step: 64, scale: log}
  momentum: {type: float, min: 0.5, max: 0.99, when: {optimizer: sgd}}
  beta2: {type: float, min: 0.9, max: 0.9999, scale: logit, when: {optimizer: [adamw, lamb]}}
  dropout: {type: float, min: 0.0, max: 0.5, step: 0.1, when: "layers >= 4"}
  head_dim: {derived: "hidden / 8"}
  decay: {value: 0.1}
constraints: ["layers * hidden <= 12288", "batch_size * lr <= 10"]
fidelity: {name: step, min: 2, max: 81, resumable: false}
algorithm:
  name: gp
  restarts: 4
  scheduler: {name: hyperband, eta: 4}
  initial:
    points: [{lr: 1e-3, batch_size: 256, layers: 6, hidden: 512, optimizer: adamw, beta2: 0.999, dropout: 0.1}]
    design: random
    count: 7
stopping: {trials: 500, wall_time: 48h}
trials: {parallel: 64, max_failed: 50, retry: {infra: 2, oom: 1}, limits: {wall_time: 6h, silence: 10m}}
trainer: {plugin: jet_trainer, config: {data: /data/jets.h5, deep: [1, {a: 2.5}]}}
resources: {gpus: 1, cpus: 8}
launcher: {name: local, trainers: 4}
server: {bind: "tcp://127.0.0.1:5555", lease: 45s}
storage: {path: elsewhere/tagger, checkpoints: {keep: 3, every: 1m}}
)";

StudySpec read_good(const std::string& yaml) {
  Diagnostics diagnostics;
  const ConfigNode node = ConfigNode::parse(yaml, "study.yaml", diagnostics);
  StudySpec spec = read_study(node, ".", diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  return spec;
}

std::vector<std::string> problems_of(const std::string& yaml) {
  Diagnostics diagnostics;
  const ConfigNode node = ConfigNode::parse(yaml, "study.yaml", diagnostics);
  read_study(node, ".", diagnostics);
  std::vector<std::string> out;
  for (const Diagnostic& each : diagnostics.problems())
    out.push_back(each.code + " " + each.message);
  return out;
}

std::string small(const std::string& more, const std::string& trainer = "{plugin: demo}") {
  return "version: 1\nstudy: {name: demo}\nparameters: {x: {type: int, min: 1, max: 9}}\n"
         "stopping: {trials: 5}\ntrainer: " +
         trainer + "\n" + more;
}

TEST(StudySpec, ReadsEverySection) {
  const StudySpec spec = read_good(kFull);

  EXPECT_EQ(spec.study.name, "jet-tagger");
  EXPECT_EQ(spec.study.seed, 42u);
  EXPECT_EQ(spec.study.tags.at("experiment"), "atlas");
  EXPECT_EQ(spec.objective.metric, "val_loss");
  EXPECT_EQ(spec.objective.goal, Goal::maximize);
  EXPECT_EQ(spec.objective.target, 0.12);
  ASSERT_TRUE(spec.fidelity);
  EXPECT_EQ(spec.fidelity->name, "step");
  EXPECT_EQ(spec.fidelity->min, 2);
  EXPECT_FALSE(spec.fidelity->resumable);
  EXPECT_EQ(spec.full_budget(), 81);
  EXPECT_EQ(spec.stopping.trials, 500);
  EXPECT_EQ(spec.stopping.wall_time->seconds, 48 * 3600.0);
  EXPECT_EQ(spec.trials.parallel, 64);
  EXPECT_EQ(spec.trials.max_failed, 50);
  EXPECT_EQ(spec.trials.retry.infra, 2);
  EXPECT_EQ(spec.trials.retry.oom, 1);
  EXPECT_EQ(spec.trials.limits.silence->seconds, 600);
  EXPECT_EQ(spec.trainer.plugin, "jet_trainer");
  EXPECT_EQ(spec.trainer.config,
            Json::parse(R"({"data": "/data/jets.h5", "deep": [1, {"a": 2.5}]})"));
  EXPECT_EQ(spec.resources.gpus, 1);
  EXPECT_EQ(spec.resources.cpus, 8);
  EXPECT_EQ(spec.launcher.trainers, 4);
  EXPECT_EQ(spec.server.bind, "tcp://127.0.0.1:5555");
  EXPECT_EQ(spec.server.lease.seconds, 45);
  EXPECT_EQ(spec.storage.path, "elsewhere/tagger");
  EXPECT_EQ(spec.storage.checkpoints.keep, 3);
}

TEST(StudySpec, ReadsTheSpaceInTheOrderOfTheFile) {
  const StudySpec spec = read_good(kFull);

  std::vector<std::string> names;
  for (const Parameter& each : spec.space.parameters()) names.push_back(each.name);
  EXPECT_THAT(names, testing::ElementsAre("optimizer", "lr", "batch_size", "layers", "hidden",
                                          "momentum", "beta2", "dropout", "head_dim", "decay"));
  EXPECT_EQ(spec.space.constraints().size(), 2u);
  EXPECT_EQ(std::get<Real>(spec.space.find("lr")->domain).scale, Scale::log);
  EXPECT_EQ(std::get<Integer>(spec.space.find("hidden")->domain).step, 64);
  EXPECT_EQ(spec.space.find("lr")->default_value, Value(1e-3));
  EXPECT_TRUE(std::holds_alternative<Derived>(spec.space.find("head_dim")->domain));
  EXPECT_TRUE(spec.space.find("beta2")->when.has_value());
}

TEST(StudySpec, KeepsPolicyOptionsForTheirMakers) {
  const StudySpec spec = read_good(kFull);

  EXPECT_EQ(spec.algorithm.searcher.name, "gp");
  EXPECT_EQ(spec.algorithm.searcher.options.to_json(), Json::parse(R"({"restarts": 4})"));
  EXPECT_EQ(spec.algorithm.scheduler.name, "hyperband");
  EXPECT_EQ(spec.algorithm.scheduler.options.to_json(), Json::parse(R"({"eta": 4})"));
  EXPECT_EQ(spec.algorithm.scheduler.options.find("eta")->mark().line, 20);
  EXPECT_EQ(spec.algorithm.searcher.options.mark().line, 18);
  EXPECT_EQ(spec.algorithm.searcher.options.mark().column, 9);
  EXPECT_EQ(spec.algorithm.initial.points.size(), 1u);
  EXPECT_EQ(spec.algorithm.initial.design, "random");
  EXPECT_EQ(spec.algorithm.initial.count, 7);
}

TEST(StudySpec, TriesTheDefaultsFirstIfTheyAreAConfiguration) {
  const std::string head =
      "version: 1\nstudy: {name: demo}\nstopping: {trials: 5}\ntrainer: {plugin: demo}\n"
      "parameters:\n  x: {type: int, min: 1, max: 9, default: 3}\n";
  const auto points = [](const std::string& yaml) {
    Json out = Json::array();
    for (const auto& each : read_good(yaml).algorithm.initial.points) out.push_back(each.to_json());
    return out;
  };

  EXPECT_EQ(points(head), Json::parse("[{}]"));
  EXPECT_EQ(points(head + "algorithm: {initial: {points: [{x: 7}]}}\n"),
            Json::parse(R"([{}, {"x": 7}])"));
  EXPECT_EQ(points(head + "algorithm: {initial: {points: [{x: 7}, {x: 3}]}}\n"),
            Json::parse(R"([{"x": 7}, {"x": 3}])"));
  EXPECT_EQ(points(head + "  y: {type: int, min: 1, max: 9}\n"), Json::array());
}

TEST(StudySpec, HasDefaultsForWhatIsLeftOut) {
  const StudySpec spec = read_good(small(""));

  EXPECT_EQ(spec.objective.metric, "loss");
  EXPECT_EQ(spec.objective.goal, Goal::minimize);
  EXPECT_EQ(spec.algorithm.searcher.name, "auto");
  EXPECT_EQ(spec.algorithm.scheduler.name, "auto");
  EXPECT_TRUE(spec.algorithm.searcher.options.is_null());
  EXPECT_EQ(spec.storage.path, "runs/demo");
  EXPECT_EQ(spec.server.bind, "ipc://auto");
  EXPECT_EQ(spec.launcher.name, "local");
  EXPECT_EQ(spec.full_budget(), 1);
  EXPECT_FALSE(spec.study.seed);
}

TEST(StudySpec, GivesAPluginARankPerGpuAndARankACpu) {
  EXPECT_EQ(read_good(small("")).resources.world(), 1);
  const ResourcesSpec gpus = read_good(small("resources: {gpus: 4}\n")).resources;
  EXPECT_EQ(gpus.world(), 4);
  EXPECT_EQ(gpus.cpus, 4);
  EXPECT_EQ(read_good(small("resources: {gpus: 4, nodes: 1}\n")).resources.world(), 4);
  const ResourcesSpec one = read_good(small("resources: {gpus: 4, ranks: 1}\n")).resources;
  EXPECT_EQ(one.world(), 1);
  const ResourcesSpec wide = read_good(small("resources: {ranks: 3, cpus: 6}\n")).resources;
  EXPECT_EQ(wide.world(), 3);
  EXPECT_EQ(wide.cpus, 6);
  EXPECT_EQ(read_good(small("resources: {gpus: 4}\n", "{command: [sh]}")).resources.world(), 1);
}

TEST(StudySpec, GivesACommandRanksWhereItIsStartedForEach) {
  const std::string per_rank = "{command: [sh, \"{rank}\"], processes: per-rank}";
  EXPECT_EQ(read_good(small("", per_rank)).resources.world(), 1);
  EXPECT_EQ(read_good(small("resources: {gpus: 4}\n", per_rank)).resources.world(), 4);
  EXPECT_EQ(read_good(small("resources: {ranks: 3}\n", per_rank)).resources.cpus, 3);
  const char* choices = "resources: {ranks: {choices: [1, 2]}}\n";
  EXPECT_TRUE(read_good(small(choices, per_rank)).resources.widths);
}

TEST(ResourcesSpec, ElasticTrialsLoseARankPerLossDownToTheirFewest) {
  const auto world = [](const char* elastic, int losses) {
    const std::string text = std::string("resources: {ranks: 4") + elastic + "}\n";
    return read_good(small(text)).resources.world(losses);
  };
  EXPECT_EQ(world("", 9), 4);
  EXPECT_EQ(world(", elastic: {min: 2}", 0), 4);
  EXPECT_EQ(world(", elastic: {min: 2}", 1), 3);
  EXPECT_EQ(world(", elastic: {min: 2}", 9), 2);
}

TEST(ResourcesSpec, HoldsChoicesOfRanksWithTheWidestForANumber) {
  const char* text = "resources: {ranks: {choices: [1, 2, 4], policy: scale-with-rung}}\n";
  const ResourcesSpec ranks = read_good(small(text)).resources;
  ASSERT_TRUE(ranks.widths.has_value());
  EXPECT_EQ(ranks.widths->choices, (std::vector{1, 2, 4}));
  EXPECT_EQ(ranks.world(), 4);
  EXPECT_EQ(ranks.cpus, 4);
  EXPECT_EQ(ranks.gpus, 0);

  const ResourcesSpec gpus =
      read_good(small("resources: {gpus: {choices: [2, 8]}, cpus: 16}\n")).resources;
  ASSERT_TRUE(gpus.widths.has_value());
  EXPECT_EQ(gpus.widths->narrowest(), 2);
  EXPECT_EQ(gpus.widths->policy, WidthPolicy::scale_with_rung);
  EXPECT_EQ(gpus.gpus, 8);
  EXPECT_EQ(gpus.world(), 8);
  EXPECT_EQ(gpus.cpus, 16);

  EXPECT_FALSE(read_good(small("resources: {ranks: 4}\n")).resources.widths);
}

TEST(StudySpec, TakesShortFormsOfPolicies) {
  EXPECT_EQ(read_good(small("algorithm: random\n")).algorithm.searcher.name, "random");
  const StudySpec spec = read_good(small("algorithm: {scheduler: fifo}\n"));
  EXPECT_EQ(spec.algorithm.scheduler.name, "fifo");
  EXPECT_EQ(spec.algorithm.searcher.name, "auto");
}

TEST(StudySpec, ReadsOutcomeConstraints) {
  const StudySpec spec =
      read_good(small("outcome_constraints: [\"mem <= 70\", \"5 * acc >= 4\"]\n"));
  ASSERT_EQ(spec.outcome_constraints.size(), 2u);
  EXPECT_EQ(spec.outcome_constraints[0].text(), "mem <= 70");
  EXPECT_EQ(spec.outcome_constraints[1].slack({{"acc", 0.9}}), -0.5);
  EXPECT_EQ(read_good(small("outcome_constraints: mem <= 70\n")).outcome_constraints.size(), 1u);
  EXPECT_TRUE(read_good(small("")).outcome_constraints.empty());
}

TEST(StudySpec, ReadsSeveralObjectives) {
  const StudySpec spec =
      read_good(small("objectives: [{metric: a}, {metric: b, goal: maximize, threshold: 0.5}]\n"));
  ASSERT_EQ(spec.objectives.size(), 2u);
  EXPECT_EQ(spec.objective.metric, "a");
  EXPECT_EQ(spec.objectives[1].metric, "b");
  EXPECT_EQ(spec.objectives[1].goal, Goal::maximize);
  EXPECT_EQ(spec.objectives[1].threshold, 0.5);
  EXPECT_EQ(read_good(small("")).objectives.size(), 1u);
}

TEST(StudySpec, RefusesObjectivesThatContradictEachOther) {
  EXPECT_THAT(problems_of(small("objectives: [{metric: a}, {metric: a}]\n")),
              testing::ElementsAre("E0208 `a` is an objective twice"));
  EXPECT_THAT(problems_of(small("objectives: [{metric: a, target: 1}, {metric: b}]\n")),
              testing::ElementsAre("E0208 some objectives have a target and others do not"));
  EXPECT_THAT(problems_of(small("objectives: [{metric: a, threshold: 1}]\n")),
              testing::ElementsAre("E0208 `threshold` has no use with one objective"));
  EXPECT_THAT(problems_of(small("objectives: [{metric: a}, {metric: b}, {metric: c}, {metric: d}, "
                                "{metric: e}]\n")),
              testing::ElementsAre("E0105 a study has 1 to 4 objectives, found 5"));
}

TEST(StudySpec, TakesExactlyOneOfObjectiveAndObjectives) {
  EXPECT_EQ(read_good(small("objectives: [{metric: a, goal: maximize}]\n")).objective.metric, "a");
  EXPECT_THAT(problems_of(small("objectives: []\n")),
              testing::ElementsAre("E0105 a study has 1 to 4 objectives, found 0"));
  EXPECT_THAT(problems_of(small("objectives: [{metric: a}]\nobjective: {metric: a}\n")),
              testing::ElementsAre("E0208 `objective` and `objectives` are both given"));
}

TEST(StudySpec, ATargetOrAnExternalTrainerIsAnEnd) {
  const std::string head = "version: 1\nstudy: {name: demo}\nparameters: {x: {value: 1}}\n";

  read_good(head + "objective: {metric: loss, target: 1}\ntrainer: {plugin: demo}\n");
  read_good(head + "trainer: {external: true}\n");
  EXPECT_THAT(problems_of(head + "trainer: {plugin: demo}\n"),
              testing::ElementsAre("E0208 nothing says when the study ends"));
}

TEST(StudySpec, AnyBudgetIsAnEnd) {
  const std::string head =
      "version: 1\nstudy: {name: demo}\nparameters: {x: {value: 1}}\ntrainer: {plugin: demo}\n"
      "fidelity: {max: 9}\nresources: {gpus: 2}\n";

  EXPECT_EQ(read_good(head + "stopping: {gpu_hours: 12}\n").stopping.gpu_hours, 12);
  EXPECT_EQ(read_good(head + "stopping: {trainer_hours: 1.5}\n").stopping.trainer_hours, 1.5);
  EXPECT_EQ(read_good(head + "stopping: {steps: 2700}\n").stopping.steps, 2700);
}

TEST(StudySpec, ADocumentReadAgainFromTheLogIsTheSameStudy) {
  const StudySpec spec = read_good(kFull);
  const Json logged = Json::parse(spec.document.dump());

  Diagnostics diagnostics;
  const StudySpec again = read_study(ConfigNode::from_json(logged, "study.db"), ".", diagnostics);

  ASSERT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  EXPECT_EQ(again.document, spec.document);
  EXPECT_THAT(document_changes(spec.document, again.document), testing::IsEmpty());
  ASSERT_EQ(again.space.dims(), spec.space.dims());
  for (std::size_t i = 0; i < spec.space.parameters().size(); ++i) {
    EXPECT_EQ(again.space.parameters()[i].name, spec.space.parameters()[i].name);
  }
  const Configuration drawn = spec.space.sample(root_key(7));
  EXPECT_EQ(again.space.sample(root_key(7)), drawn);
  EXPECT_EQ(again.trials.limits.silence, spec.trials.limits.silence);
  EXPECT_EQ(again.algorithm.scheduler.options.to_json(),
            spec.algorithm.scheduler.options.to_json());
}

TEST(StudySpec, TheOrderOfParametersIsNoKeyOfStudyFiles) {
  EXPECT_THAT(problems_of(small("parameter_order: [x]\n")),
              testing::ElementsAre("E0102 unknown key `parameter_order`"));
}

TEST(StudySpec, IncludesParametersAndOwnOnesWin) {
  const support::TemporaryDirectory folder;
  std::ofstream(folder / "sgd.yaml") << "lr: {type: float, min: 1e-4, max: 1, scale: log}\n"
                                        "momentum: {type: float, min: 0.5, max: 0.99}\n";
  std::ofstream(folder / "mlp.yaml") << "hidden: {type: int, min: 8, max: 512, scale: log}\n";
  std::ofstream(folder / "study.yaml")
      << "version: 1\nstudy: {name: demo}\nstopping: {trials: 3}\ntrainer: {plugin: demo}\n"
         "parameters:\n  include: [sgd.yaml, mlp.yaml]\n"
         "  lr: {type: float, min: 0.5, max: 0.75}\n  x: {type: int, min: 1, max: 2}\n";

  Diagnostics diagnostics;
  const StudySpec spec = load_study(folder / "study.yaml", diagnostics);

  ASSERT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  EXPECT_EQ(std::get<Real>(spec.space.find("lr")->domain).max, 0.75);
  EXPECT_EQ(spec.document["parameters"].size(), 4u);
  EXPECT_FALSE(spec.document["parameters"].contains("include"));
  EXPECT_EQ(spec.document["parameter_order"], Json::parse(R"(["momentum", "hidden", "lr", "x"])"));
  fs::remove(folder / "sgd.yaml");  // the log alone is enough
  Diagnostics later;
  const StudySpec again = read_study(ConfigNode::from_json(spec.document, "log"), ".", later);
  EXPECT_TRUE(later.ok()) << later.render(false);
  EXPECT_EQ(again.document, spec.document);
}

TEST(StudySpec, FindsFilesOfTheTrainerBesideTheStudy) {
  const support::TemporaryDirectory folder;
  fs::create_directory(folder / "bin");
  std::ofstream(folder / "bin/train.sh") << "#!/bin/sh\n";
  std::ofstream(folder / "own.so") << "\n";
  std::ofstream(folder / "a.yaml") << small(
      "", "{command: [bin/train.sh, \"--lr={x}\", bin/data.csv, /etc/hosts, bin/train.sh]}");
  std::ofstream(folder / "b.yaml") << small("", "{plugin: own.so}");

  Diagnostics diagnostics;
  const StudySpec a = load_study(folder / "a.yaml", diagnostics);
  const StudySpec b = load_study(folder / "b.yaml", diagnostics);

  ASSERT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  const std::string script = (folder / "bin/train.sh").string();
  EXPECT_THAT(*a.trainer.command,
              testing::ElementsAre(script, "--lr={x}", "bin/data.csv", "/etc/hosts", script));
  EXPECT_EQ(a.document["trainer"]["command"][0], "bin/train.sh");
  EXPECT_EQ(*b.trainer.plugin, (folder / "own.so").string());
}

TEST(StudySpec, ALoggedDocumentDoesNotNeedTheFilesOfTheTrainer) {
  Diagnostics diagnostics;
  const Json document = Json::parse(R"({"version": 1, "study": {"name": "demo"},
    "parameters": {"x": {"value": 1}}, "stopping": {"trials": 1},
    "trainer": {"command": ["gone/train.sh"]}})");

  read_study(ConfigNode::from_json(document, "log"), ".", diagnostics);

  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
}

TEST(DocumentChanges, TellsOneLinePerLeaf) {
  const Json before = Json::parse(
      R"({"stopping": {"trials": 5}, "parameters": {"lr": {"max": 0.1, "min": 0}, "x": {"value": 1}},
          "constraints": ["a", "b"], "version": 1})");
  Json after = before;
  after["stopping"]["trials"] = 50;
  after["parameter_order"] = {"x", "lr"};
  after["parameters"]["lr"]["max"] = 0.2;
  after["parameters"].erase("x");
  after["parameters"]["y"] = {{"value", "word"}};
  after["constraints"][1] = "c";

  EXPECT_THAT(document_changes(before, after),
              testing::ElementsAre("constraints[1]: b -> c", "parameters.lr.max: 0.1 -> 0.2",
                                   "parameters.x: {\"value\":1} -> (removed)",
                                   "parameters.y: (new) -> {\"value\":\"word\"}"));
  EXPECT_THAT(document_changes(before, before), testing::IsEmpty());
}

}  // namespace
}  // namespace betatune
