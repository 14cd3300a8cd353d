#include "optimizer/ask_tell.hpp"

#include "searchspaces/random.hpp"
#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::policies_of;
using test::small_study;
using test::stepped_study;

/// A store that outlives the conversation, and that can be told to fail.
class LastingStore : public StudyStore {
 public:
  struct Shared {
    std::unique_ptr<StudyStore> inner = make_memory_store();
    bool full = false;
  };
  explicit LastingStore(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Status append(Sequence expected, std::span<const Event> events,
                std::span<const std::int64_t> taken) override {
    if (shared_->full) return Error{ErrorKind::unavailable, "no space left on the disk"};
    return shared_->inner->append(expected, events, taken);
  }
  Result<std::vector<Event>> read(Sequence after, std::size_t limit) const override {
    return shared_->inner->read(after, limit);
  }
  Result<std::uint64_t> begin_epoch() override { return shared_->inner->begin_epoch(); }
  Result<std::vector<StoredRequest>> requests() const override {
    return shared_->inner->requests();
  }
  Status add_request(const std::string& kind, const Json& body) override {
    return shared_->inner->add_request(kind, body);
  }

 private:
  std::shared_ptr<Shared> shared_;
};

class AskTellTest : public ::testing::Test {
 protected:
  void open(StudySpec spec) {
    spec_ = std::move(spec);
    reopen();
  }
  /// As a new process does.
  void reopen() {
    StudySession session;
    session.spec = std::make_shared<const StudySpec>(spec_);
    session.store = std::make_unique<LastingStore>(disk_);
    session.policies = policies_of(spec_);
    CoordinatorOptions options;
    options.epoch = session.store->begin_epoch().value();
    options.ahead = 0;
    session.coordinator =
        std::make_unique<Coordinator>(session.spec, session.policies, std::move(options));
    const auto log = session.store->read(0, 100'000).value();
    ASSERT_TRUE(session.coordinator->replay(log));
    auto opened = AskTell::open(std::move(session));
    ASSERT_TRUE(opened) << opened.error().message;
    study_ = std::move(opened).value();
  }
  Json say(const std::string& line) { return Json::parse(study_->answer(line)); }
  Json say_json(const Json& line) { return say(line.dump()); }
  std::size_t events() const { return disk_->inner->read(0, 100'000).value().size(); }

  std::shared_ptr<LastingStore::Shared> disk_ = std::make_shared<LastingStore::Shared>();
  StudySpec spec_;
  std::unique_ptr<AskTell> study_;
};

TEST_F(AskTellTest, HandsOutExactlyTheBudgetAndThenNothing) {
  open(small_study());

  for (int id = 0; id < 4; ++id) {
    const Json asked = say(R"({"ask": 1})");
    ASSERT_EQ(asked["ask"].size(), 1u);
    EXPECT_EQ(asked["ask"][0]["id"], id);
    EXPECT_EQ(asked["ask"][0]["until"], 1);
    EXPECT_EQ(asked["ask"][0]["params"].size(), 2u);
    EXPECT_EQ(say_json(Json{{"tell", {{"id", id}, {"loss", 1.0 - id}}}}), Json({{"ok", true}}));
  }

  EXPECT_EQ(say(R"({"ask": 1})"), Json({{"ask", Json::array()}}));
  const Json best = say(R"({"best": 1})")["best"];
  EXPECT_EQ(best["id"], 3);
  EXPECT_EQ(best["loss"], -2.0);
}

TEST_F(AskTellTest, HandsOutNoMoreThanTheBudgetAtOnce) {
  open(small_study());

  EXPECT_EQ(say(R"({"ask": 10})")["ask"].size(), 4u);
  EXPECT_EQ(say(R"({"ask": 10})")["ask"].size(), 0u);
}

TEST_F(AskTellTest, HandsOutAgainWhatWasNotToldBeforeARestart) {
  open(small_study());
  const Json before = say(R"({"ask": 3})")["ask"];
  say(R"({"tell": {"id": 1, "loss": 0.5}})");

  reopen();
  EXPECT_EQ(say(R"({"tell": {"id": 0, "loss": 0.4}})"), Json({{"ok", true}}));
  const Json after = say(R"({"ask": 2})")["ask"];

  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0], before[2]);
  EXPECT_EQ(after[1]["id"], 3);
}

TEST_F(AskTellTest, SaysHowFarTheBestOneWasTrained) {
  StudySpec spec = stepped_study(9, "asha");
  spec.stopping.trials = 4;
  open(spec);
  const Json asked = say(R"({"ask": 3})")["ask"];
  for (const Json& each : asked) {
    say_json(Json{{"tell", {{"id", each["id"]}, {"loss", each["id"]}}}});
  }
  EXPECT_EQ(say(R"({"best": 1})")["best"]["step"], 1);

  ASSERT_EQ(say(R"({"ask": 1})")["ask"][0]["until"], 3);
  say(R"({"tell": {"id": 0, "loss": 7}})");

  EXPECT_EQ(say(R"({"best": 1})")["best"]["step"], 3) << "although others are lower, at step 1";
  const Json recommended = say(R"({"recommend": 1})")["recommend"];
  EXPECT_EQ(recommended["id"], 0);
  EXPECT_EQ(recommended["step"], 3);
}

TEST_F(AskTellTest, HandsABetterTrialBackWithALargerUntil) {
  StudySpec spec = stepped_study(9, "asha");
  spec.stopping.trials = 3;
  open(spec);

  const Json first = say(R"({"ask": 3})")["ask"];
  ASSERT_EQ(first.size(), 3u);
  for (int id = 0; id < 3; ++id) {
    EXPECT_EQ(first[static_cast<std::size_t>(id)]["until"], 1);
    say_json(Json{{"tell", {{"id", id}, {"loss", std::abs(id - 1.2)}}}});
  }
  const Json promoted = say(R"({"ask": 3})")["ask"];

  ASSERT_EQ(promoted.size(), 1u);
  EXPECT_EQ(promoted[0]["id"], 1);
  EXPECT_EQ(promoted[0]["until"], 3);
  EXPECT_EQ(promoted[0]["params"], first[1]["params"]);
}

TEST_F(AskTellTest, AnswersEachReportWithADecision) {
  open(stepped_study(9, "fifo"));
  say(R"({"ask": 1})");

  EXPECT_EQ(say(R"({"report": {"id": 0, "step": 3, "loss": 0.4}})"),
            Json({{"decision", "continue"}}));
  EXPECT_EQ(say(R"({"report": {"id": 0, "step": 4, "loss": "NaN"}})"),
            Json({{"decision", "stop"}}));
  // The driver need not know that the trial has ended there.
  EXPECT_EQ(say(R"({"tell": {"id": 0, "loss": 0.4}})"), Json({{"ok", true}}));
  EXPECT_EQ(say(R"({"best": 1})"), Json({{"best", nullptr}}));
}

TEST_F(AskTellTest, TakesLossAsMinimisedAndMetricsAsTheStudyMeansThem) {
  StudySpec spec = small_study();
  spec.objective = ObjectiveSpec{"accuracy", Goal::maximize, {}};
  open(spec);
  say(R"({"ask": 3})");

  say(R"({"tell": {"id": 0, "metrics": {"accuracy": 0.7, "size": 3}}})");
  say(R"({"tell": {"id": 1, "loss": -0.9}})");
  say(R"({"tell": {"id": 2, "metrics": {"accuracy": 0.8}}})");

  const Json best = say(R"({"best": 1})")["best"];
  EXPECT_EQ(best["id"], 1);
  EXPECT_EQ(best["loss"], -0.9);
}

TEST_F(AskTellTest, EndsAFailedTrialByItsClass) {
  StudySpec spec = small_study();
  spec.trials.retry.infra = 1;
  open(spec);
  say(R"({"ask": 2})");

  EXPECT_EQ(say(R"({"tell": {"id": 0, "failed": "oom"}})"), Json({{"ok", true}}));
  EXPECT_EQ(say(R"({"tell": {"id": 1, "failed": "infra"}})"), Json({{"ok", true}}));

  // Infrastructure is tried again, under the same id.
  EXPECT_EQ(say(R"({"ask": 1})")["ask"][0]["id"], 1);
}

TEST_F(AskTellTest, TriesEnqueuedConfigurationsNext) {
  open(small_study());

  EXPECT_EQ(say(R"({"enqueue": {"params": {"x": 0.25, "n": 7}}})"), Json({{"ok", true}}));

  EXPECT_EQ(say(R"({"ask": 1})")["ask"][0]["params"], Json({{"x", 0.25}, {"n", 7}}));
}

TEST_F(AskTellTest, SaysWhatIsWrongAndChangesNothing) {
  open(small_study());
  say(R"({"ask": 1})");
  const std::size_t before = events();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "JSON"},
      {"nonsense", "JSON"},
      {"[1]", "object"},
      {"{}", "one command"},
      {R"({"ask": 1, "best": 1})", "one command"},
      {R"({"ask": 1.5})", "ask: expected an integer"},
      {R"({"ask": -1})", "ask: expected 0 to"},
      {R"({"aks": 1})", "did you mean `ask`"},
      {R"({"ask": 1, "ask": 1})", "twice"},
      {R"({"tell": {"loss": 1}})", "tell.id: missing"},
      {R"({"tell": {"id": 9, "loss": 1}})", "no trial 9"},
      {R"({"tell": {"id": 0}})", "expected `loss`"},
      {R"({"tell": {"id": 0, "metrics": {"other": 1}}})", "expected `loss`"},
      {R"({"tell": {"id": 0, "loss": "low"}})", "tell.loss: expected a number"},
      {R"({"tell": {"id": 0, "loss": NaN}})", "JSON"},
      {R"({"tell": {"id": 0, "failed": "sad"}})", "tell.failed: expected one of"},
      {R"({"tell": {"id": 0, "loss": 1, "failed": "oom"}})", "which is it"},
      {R"({"tell": {"id": 0, "loss": 1, "step": -1}})", "tell.step"},
      {R"({"tell": {"id": 0, "los": 1}})", "did you mean `loss`"},
      {R"({"report": {"id": 0, "loss": 1}})", "report.step: missing"},
      {R"({"report": {"id": 0, "step": 1}})", "expected `loss` or `metrics`"},
      {R"({"enqueue": {"params": {"x": 2, "n": 1}}})", "`x`"},
      {R"({"enqueue": {"x": 2}})", "enqueue"},
      {R"({"close": 0})", "close: expected 1"},
      {std::string(100, '[') + std::string(100, ']'), "nested deeper"},
      {"{\"ask\": \"" + std::string(2'000'000, 'x') + "\"}", "longer than"},
  };

  for (const auto& [line, expected] : cases) {
    const Json answer = say(line);
    ASSERT_TRUE(answer.contains("error")) << line << " -> " << answer;
    EXPECT_NE(answer["error"].get<std::string>().find(expected), std::string::npos)
        << line.substr(0, 100) << " -> " << answer;
  }
  EXPECT_EQ(events(), before);
  EXPECT_EQ(say(R"({"tell": {"id": 0, "loss": 1}})"), Json({{"ok", true}}));
}

TEST_F(AskTellTest, AnswersAnyBytesWithOneLineOfJson) {
  open(small_study());
  const std::string seed = R"({"tell": {"id": 0, "metrics": {"loss": 0.5}, "step": 1}})";
  Stream random(root_key(11));

  for (int i = 0; i < 3'000; ++i) {
    std::string line = seed;
    const std::uint64_t edits = 1 + random.below(6);
    for (std::uint64_t e = 0; e < edits; ++e) {
      line[random.below(line.size())] = static_cast<char>(random.below(256));
    }
    const std::string answer = study_->answer(line);
    EXPECT_EQ(answer.find('\n'), std::string::npos);
    EXPECT_FALSE(Json::parse(answer, nullptr, false).is_discarded()) << answer;
  }
}

TEST_F(AskTellTest, HandsOutNothingThatIsNotStored) {
  open(small_study());

  disk_->full = true;
  EXPECT_NE(say(R"({"ask": 1})")["error"].get<std::string>().find("no space"), std::string::npos);
  disk_->full = false;
  const Json asked = say(R"({"ask": 1})")["ask"];

  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0]["id"], 0);
}

/// I6: the same seed and the same order of results give the same answers, restarts or not.
class AskTellReplay : public AskTellTest, public ::testing::WithParamInterface<const char*> {
 protected:
  std::vector<Json> drive(const std::string& searcher, const std::string& scheduler,
                          bool restarts) {
    disk_ = std::make_shared<LastingStore::Shared>();
    StudySpec spec = stepped_study(9, scheduler);
    spec.algorithm.searcher.name = searcher;
    spec.stopping.trials = 25;
    open(spec);
    std::vector<Json> answers;
    for (int i = 0; i < 60; ++i) {
      if (restarts) reopen();
      answers.push_back(say(R"({"ask": 1})"));
      for (const Json& each : answers.back()["ask"]) {
        if (restarts && i % 3 == 0) reopen();
        const double x = each["params"]["x"].get<double>();
        const double loss = (x - 0.3) * (x - 0.3) + 1.0 / each["until"].get<double>();
        answers.push_back(say_json(Json{{"tell", {{"id", each["id"]}, {"loss", loss}}}}));
      }
    }
    return answers;
  }
};

TEST_P(AskTellReplay, GivesTheSameAnswersAcrossRestarts) {
  for (const char* scheduler : {"fifo", "asha"}) {
    const auto once = drive(GetParam(), scheduler, false);
    EXPECT_EQ(once, drive(GetParam(), scheduler, false)) << scheduler;
    EXPECT_EQ(once, drive(GetParam(), scheduler, true)) << scheduler;
  }
}

INSTANTIATE_TEST_SUITE_P(Searchers, AskTellReplay,
                         ::testing::Values("random", "sobol", "grid", "gp"));

TEST_F(AskTellTest, BestMeetsTheOutcomeConstraintsAndATellWithoutTheirMetricIsRefused) {
  StudySpec limited = small_study();
  limited.outcome_constraints = {Inequality::parse("mem <= 70").value()};
  limited.document["outcome_constraints"] = {"mem <= 70"};
  open(limited);
  say(R"({"ask": 2})");

  const Json refused = say(R"({"tell": {"id": 0, "loss": 0.1}})");
  ASSERT_TRUE(refused.contains("error"));
  EXPECT_NE(refused["error"].get<std::string>().find("`mem`"), std::string::npos);
  EXPECT_EQ(say(R"({"tell": {"id": 0, "loss": 0.1, "metrics": {"mem": 80}}})")["ok"], true);
  EXPECT_EQ(say(R"({"best": 1})")["best"]["feasible"], false);
  EXPECT_EQ(say(R"({"tell": {"id": 1, "loss": 0.7, "metrics": {"mem": 60}}})")["ok"], true);

  const Json best = say(R"({"best": 1})")["best"];
  EXPECT_EQ(best["id"], 1);
  EXPECT_EQ(best["feasible"], true);
}

TEST_F(AskTellTest, AnswersWithTheFrontOfSeveralObjectives) {
  StudySpec two = small_study();
  two.objectives = {{"loss", Goal::minimize, {}, {}}, {"accuracy", Goal::maximize, {}, {}}};
  two.document["objectives"] = {{{"metric", "loss"}},
                                {{"metric", "accuracy"}, {"goal", "maximize"}}};
  open(two);
  say(R"({"ask": 3})");
  EXPECT_TRUE(say(R"({"tell": {"id": 0, "loss": 0.1}})").contains("error")) << "lacks one";
  say(R"({"tell": {"id": 0, "loss": 0.1, "metrics": {"accuracy": 0.5}}})");
  say(R"({"tell": {"id": 1, "loss": 0.2, "metrics": {"accuracy": 0.4}}})");
  say(R"({"tell": {"id": 2, "loss": 0.3, "metrics": {"accuracy": 0.9}}})");

  const Json front = say(R"({"best": 1})");

  ASSERT_EQ(front["pareto"].size(), 2u);
  EXPECT_EQ(front["pareto"][0]["id"], 0);
  EXPECT_EQ(front["pareto"][1]["losses"], Json({0.3, -0.9}));
  EXPECT_GT(front["hypervolume"], 0);
}

}  // namespace
}  // namespace betatune
