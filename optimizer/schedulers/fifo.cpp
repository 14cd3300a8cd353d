/// First in, first out: every trial is trained to the full budget, in order.

#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

class Fifo final : public Scheduler {
 public:
  explicit Fifo(Step full_budget) : full_budget_(full_budget) {}

  void observe(const StudyState&, const Event&) override {}
  std::optional<Assignment> next(const StudyState&, bool may_start) const override {
    if (may_start) return StartNew{full_budget_};
    return std::nullopt;
  }
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial&) const override { return true; }

 private:
  Step full_budget_;
};

std::unique_ptr<Scheduler> make(const PolicyContext& context, const NoOptions&, const ConfigNode&,
                                Diagnostics&) {
  return std::make_unique<Fifo>(context.spec.full_budget());
}

const bool registered = SchedulerRegistry::add<NoOptions>(
    "fifo", "Trains every trial to the full budget, in order.", make);

}  // namespace
}  // namespace betatune
