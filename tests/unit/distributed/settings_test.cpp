/// Every `distributed` setting of a study: default, range, and errors that name it.

#include "trainers/torch/distributed/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure_text.hpp"

namespace betatune::distributed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Of a trial with these parameters, as the study file has them.
engine::Recipe recipe_with(const std::string& distributed, const std::string& params = "{}") {
  engine::Recipe recipe;
  engine::Fields fields(params, "parameter");
  engine::read_recipe(fields, recipe);
  fields.finish();
  recipe.distributed = distributed;
  return recipe;
}

Settings read(const std::string& distributed, const std::string& params = "{}", int size = 4) {
  return read_settings(recipe_with(distributed, params), size);
}

std::string problem(const std::string& distributed, const std::string& params = "{}",
                    int size = 4) {
  return support::failure_text([&] { (void)read(distributed, params, size); });
}

/// What the servers' strategies can all be combined with.
constexpr const char* kPlainSgd =
    R"({"optimizer": "sgd", "momentum": 0, "schedule": "constant", "lr": 0.2})";

TEST(DistributedSettings, AreDataParallelWithTheDocumentedDefaults) {
  for (const char* text : {"{}", R"({"strategy": "data-parallel"})"}) {
    const Settings s = read(text);
    EXPECT_EQ(s.backend, Backend::automatic);
    EXPECT_FALSE(s.batch_per_rank);
    EXPECT_EQ(s.lr_scaling, RateScaling::none);
    EXPECT_EQ(s.buckets.first_bytes, 1u << 20);
    EXPECT_EQ(s.buckets.bytes, 25u << 20);
    EXPECT_EQ(s.compression.kind, CompressionKind::none);
    EXPECT_TRUE(s.check_finite);
    EXPECT_FALSE(s.shard_optimizer);
    EXPECT_FALSE(s.timeline);
    EXPECT_EQ(s.tuning_window, 0);
    EXPECT_FALSE(s.asynchronous.has_value());
  }
}

TEST(DistributedSettings, TakeEveryNameOfAChoice) {
  const auto backend = [](const char* name) {
    return read(std::string(R"({"backend": ")") + name + "\"}").backend;
  };
  EXPECT_EQ(backend("auto"), Backend::automatic);
  EXPECT_EQ(backend("shared_memory"), Backend::shared_memory);
  EXPECT_EQ(backend("gloo"), Backend::gloo);
  EXPECT_EQ(backend("nccl"), Backend::nccl);
  const auto compression = [](const char* name) {
    return read(std::string(R"({"compression": ")") + name + "\"}").compression.kind;
  };
  EXPECT_EQ(compression("none"), CompressionKind::none);
  EXPECT_EQ(compression("fp16"), CompressionKind::fp16);
  EXPECT_EQ(compression("bf16"), CompressionKind::bf16);
  EXPECT_EQ(compression("powersgd"), CompressionKind::powersgd);
  const auto scaling = [](const char* name) {
    return read(std::string(R"({"batch": "per_rank", "lr_scaling": ")") + name + "\"}").lr_scaling;
  };
  EXPECT_EQ(scaling("none"), RateScaling::none);
  EXPECT_EQ(scaling("linear"), RateScaling::linear);
  EXPECT_EQ(scaling("sqrt"), RateScaling::sqrt);
  EXPECT_FALSE(read(R"({"batch": "global"})").batch_per_rank);
  EXPECT_TRUE(read(R"({"batch": "per_rank"})").batch_per_rank);
}

TEST(DistributedSettings, TakeNumbersAndSwitches) {
  const Settings s = read(R"({"bucket_mib": 0.5, "first_bucket_mib": 0, "check_finite": false,
      "shard_optimizer": true, "timeline": true, "compression": "powersgd", "compression_rank": 2,
      "compression_start": 0})");
  EXPECT_EQ(s.buckets.bytes, 1u << 19);
  EXPECT_EQ(s.buckets.first_bytes, 0u);
  EXPECT_FALSE(s.check_finite);
  EXPECT_TRUE(s.shard_optimizer);
  EXPECT_TRUE(s.timeline);
  EXPECT_EQ(s.compression.rank, 2);
  EXPECT_EQ(s.compression.start, 0);
}

TEST(DistributedSettings, NameWhatIsOutsideItsRange) {
  struct Case {
    const char *text, *name, *allowed;
  };
  for (const Case& c : std::initializer_list<Case>{
           {R"({"backend": "mpi"})", "backend", "auto, shared_memory, gloo, nccl"},
           {R"({"batch": "each"})", "batch", "global, per_rank"},
           {R"({"batch": "per_rank", "lr_scaling": "cubic"})", "lr_scaling", "none, linear, sqrt"},
           {R"({"compression": "zip"})", "compression", "none, fp16, bf16, powersgd"},
           {R"({"bucket_mib": -1})", "bucket_mib", "from 0.0 to 65536.0"},
           {R"({"first_bucket_mib": 65537})", "first_bucket_mib", "from 0.0 to 65536.0"},
           {R"({"check_finite": 1})", "check_finite", "true or false"},
           {R"({"shard_optimizer": "yes"})", "shard_optimizer", "true or false"},
           {R"({"timeline": 0})", "timeline", "true or false"},
           {R"({"tune_communication": 1})", "tune_communication", "true or false"},
           {R"({"tune_communication": true, "tune_window": 2})", "tune_window", "3 to 1000"},
           {R"({"tune_communication": true, "tune_window": 1001})", "tune_window", "3 to 1000"},
           {R"({"strategy": 1})", "strategy", "must be a text"},
           {R"({"compression": "powersgd", "compression_rank": 0})", "compression_rank", "1 to 64"},
           {R"({"compression": "powersgd", "compression_rank": 65})", "compression_rank",
            "1 to 64"},
           {R"({"compression": "powersgd", "compression_start": -1})", "compression_start",
            "0 to 1000000"}}) {
    EXPECT_THAT(problem(c.text), AllOf(HasSubstr("distributed setting `" + std::string(c.name)),
                                       HasSubstr(c.allowed)))
        << c.text;
  }
}

TEST(DistributedSettings, RefuseWhatHasNoEffectAndWhatIsNotKnown) {
  EXPECT_THAT(problem(R"({"compression": "fp16", "compression_rank": 2})"),
              AllOf(HasSubstr("`compression_rank`"), HasSubstr("compression: powersgd")));
  EXPECT_THAT(problem(R"({"compression_start": 2})"), HasSubstr("`compression_start`"));
  EXPECT_THAT(problem(R"({"shard_optimiser": true})"), HasSubstr("`shard_optimizer`?"));
  EXPECT_THAT(problem(R"({"servers": 2})"), HasSubstr("unknown distributed setting `servers`"));
  for (const char* name : {"shard_optimizer", "timeline", "check_finite", "tune_communication"}) {
    const std::string text = std::string(R"({"strategy": "downpour", ")") + name + "\": true}";
    EXPECT_THAT(problem(text, kPlainSgd), HasSubstr('`' + std::string(name) + '`'));
  }
}

TEST(DistributedSettings, TuneCommunicationFromBucketsThatAreThere) {
  EXPECT_EQ(read(R"({"tune_communication": true})").tuning_window, 10);
  EXPECT_EQ(read(R"({"tune_communication": true, "tune_window": 3})").tuning_window, 3);
  EXPECT_EQ(read(R"({"tune_communication": false})").tuning_window, 0);
  EXPECT_THAT(problem(R"({"tune_window": 10})"),
              AllOf(HasSubstr("`tune_window`"), HasSubstr("tune_communication: true")));
  for (const char* name : {"bucket_mib", "first_bucket_mib"}) {
    const std::string text = std::string(R"({"tune_communication": true, ")") + name + R"(": 0})";
    EXPECT_THAT(problem(text), AllOf(HasSubstr('`' + std::string(name) + '`'),
                                     HasSubstr("tune_communication cannot begin")));
  }
}

TEST(DistributedSettings, ScaleTheRateOnlyWhereTheBatchGrows) {
  for (const char* strategy : {"data-parallel", "downpour"}) {
    const std::string start = std::string(R"({"strategy": ")") + strategy + '"';
    EXPECT_THAT(problem(start + R"(, "lr_scaling": "linear"})", kPlainSgd),
                AllOf(HasSubstr("`lr_scaling`"), HasSubstr("batch: per_rank")));
    EXPECT_EQ(problem(start + R"(, "lr_scaling": "none"})", kPlainSgd), "");
  }
}

TEST(DistributedSettings, GrowBatchAndRateWithTheGangAsAsked) {
  const auto grown = [](const std::string& text) {
    const engine::Recipe recipe = recipe_with(text, R"({"batch_size": 32, "lr": 0.5})");
    return for_gang(recipe, read_settings(recipe, 4), 4);
  };
  EXPECT_EQ(grown("{}").batch_size, 32);
  EXPECT_EQ(grown("{}").optimizer.lr, 0.5);
  EXPECT_EQ(grown(R"({"batch": "per_rank"})").batch_size, 128);
  EXPECT_EQ(grown(R"({"batch": "per_rank"})").optimizer.lr, 0.5);
  EXPECT_EQ(grown(R"({"batch": "per_rank", "lr_scaling": "linear"})").optimizer.lr, 2);
  EXPECT_EQ(grown(R"({"batch": "per_rank", "lr_scaling": "sqrt"})").optimizer.lr, 1);
}

TEST(DistributedSettings, NameAllStrategiesWhereOneIsNotKnown) {
  const std::string text = problem(R"({"strategy": "hogwild"})");
  EXPECT_THAT(text, HasSubstr("`strategy` is \"hogwild\"; it must be one of data-parallel"));
  for (const asynchronous::RuleName& rule : asynchronous::strategies()) {
    EXPECT_THAT(text, HasSubstr(rule.name));
  }
}

TEST(DistributedSettings, TakeEveryStrategyOfTheServersWithPlainSgd) {
  ASSERT_GE(asynchronous::strategies().size(), 5u);
  for (const asynchronous::RuleName& rule : asynchronous::strategies()) {
    SCOPED_TRACE(rule.name);
    const Settings s = read(R"({"strategy": ")" + rule.name + "\"}", kPlainSgd);
    ASSERT_TRUE(s.asynchronous.has_value());
    EXPECT_EQ(s.asynchronous->name, rule.name);
    EXPECT_THAT(s.strategy_json, HasSubstr(R"("lr":0.2)"));
    EXPECT_EQ(s.servers, 1);
  }
}

TEST(DistributedSettings, HaveAsManyServersAsRanksAtMost) {
  EXPECT_EQ(read(R"({"strategy": "downpour", "servers": 4})", kPlainSgd).servers, 4);
  for (const char* servers : {"0", "5"}) {
    EXPECT_THAT(
        problem(std::string(R"({"strategy": "downpour", "servers": )") + servers + '}', kPlainSgd),
        AllOf(HasSubstr("`servers`"), HasSubstr("1 to 4")));
  }
}

TEST(DistributedSettings, SubMastersAreForRulesWhosePushesCanBeSummed) {
  const Settings s =
      read(R"({"strategy": "downpour", "sub_masters": 2, "sub_master_reduce": "mean"})", kPlainSgd);
  EXPECT_EQ(s.sub_masters, 2);
  EXPECT_TRUE(s.sub_masters_mean);
  EXPECT_FALSE(read(R"({"strategy": "gem", "sub_masters": 1})", kPlainSgd).sub_masters_mean);
  EXPECT_EQ(read(R"({"strategy": "synchronous"})", kPlainSgd).sub_masters, 0);
  EXPECT_THAT(problem(R"({"strategy": "downpour", "sub_masters": 3})", kPlainSgd),
              AllOf(HasSubstr("`sub_masters` is 3"), HasSubstr("0 to 2")));
  EXPECT_THAT(problem(R"({"strategy": "easgd", "sub_masters": 2})", kPlainSgd),
              HasSubstr("`sub_masters` is 2, but `easgd` pushes what cannot be summed"));
  EXPECT_THAT(problem(R"({"strategy": "hybrid", "groups": 2, "sub_masters": 2})", kPlainSgd),
              HasSubstr("`sub_masters` is 2, but `hybrid` has groups in their place"));
  EXPECT_THAT(problem(R"({"strategy": "downpour", "sub_master_reduce": "mean"})", kPlainSgd),
              HasSubstr("`sub_master_reduce` is given, but there is none; add `sub_masters: 2`"));
  EXPECT_THAT(problem(R"({"sub_masters": 2})"),
              HasSubstr("unknown distributed setting `sub_masters`"));
}

TEST(DistributedSettings, LeaveTheOptimizersParametersToTheTrial) {
  for (const char* name : {"optimizer", "lr", "weight_decay", "beta1", "beta2"}) {
    const std::string text = std::string(R"({"strategy": "downpour", ")") + name + "\": 1}";
    EXPECT_THAT(problem(text, kPlainSgd), AllOf(HasSubstr('`' + std::string(name) + '`'),
                                                HasSubstr("leave `distributed.` off")));
  }
}

TEST(DistributedSettings, RefuseOptimizersThatTheServersDoNotHave) {
  const auto with = [](const char* strategy, const std::string& params) {
    return problem(std::string(R"({"strategy": ")") + strategy + "\"}", params);
  };
  const std::string sgd = R"({"optimizer": "sgd")", adamw = R"({"optimizer": "adamw")";
  for (const char* strategy : {"easgd", "gem", "agn"}) {
    EXPECT_THAT(with(strategy, adamw + R"(, "schedule": "constant"})"),
                AllOf(HasSubstr("`strategy`"), HasSubstr("optimizer: sgd")))
        << strategy;
  }
  EXPECT_THAT(with("agn", sgd + R"(, "momentum": 0.5})"), HasSubstr("`momentum: 0`"));
  EXPECT_EQ(with("easgd", sgd + R"(, "momentum": 0.5})"), "");
  EXPECT_THAT(with("downpour", sgd + R"(, "momentum": 0.5, "nesterov": true})"),
              HasSubstr("`nesterov`"));
  EXPECT_THAT(with("downpour", sgd + R"(, "momentum_ramp": 0.5})"), HasSubstr("`momentum_ramp`"));
  EXPECT_THAT(with("downpour", adamw + "}"), HasSubstr("schedule: constant"));
  EXPECT_THAT(with("downpour", adamw + R"(, "schedule": "constant", "warmup": 0.1})"),
              HasSubstr("without warmup"));
  EXPECT_EQ(with("downpour", adamw + R"(, "schedule": "constant"})"), "");
}

TEST(DistributedSettings, GiveTheServersTheOptimizerOfTheTrial) {
  const auto json = [](const std::string& distributed, const std::string& params) {
    return read(distributed, params).strategy_json;
  };
  const std::string sgd = R"({"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.25})";
  // Weight decay is the workers' with sgd, the servers' with adamw.
  EXPECT_THAT(json(R"({"strategy": "downpour"})", sgd),
              AllOf(HasSubstr(R"("momentum":0.5)"), ::testing::Not(HasSubstr("weight_decay"))));
  EXPECT_THAT(json(R"({"strategy": "downpour", "momentum": 0.25})", sgd),
              HasSubstr(R"("momentum":0.25)"));
  EXPECT_THAT(json(R"({"strategy": "downpour"})",
                   R"({"schedule": "constant", "weight_decay": 0.25, "beta1": 0.5})"),
              AllOf(HasSubstr(R"("optimizer":"adam")"), HasSubstr(R"("beta1":0.5)"),
                    HasSubstr(R"("weight_decay":0.25)")));
  EXPECT_THAT(
      json(R"({"strategy": "downpour", "batch": "per_rank", "lr_scaling": "linear"})", kPlainSgd),
      HasSubstr(R"("lr":0.8)"));
}

}  // namespace
}  // namespace betatune::distributed
