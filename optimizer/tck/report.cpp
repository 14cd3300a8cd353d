#include <algorithm>
#include <fmt/format.h>

#include "optimizer/tck/runner.hpp"

namespace betatune::tck {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // XML 1.0 has no other control characters, and what is not ASCII may be no UTF-8.
        out += (c >= ' ' && c < 127) || c == '\n' ? c : '?';
    }
  }
  return out;
}

std::int64_t count(const std::vector<Outcome>& outcomes, Verdict verdict) {
  return std::ranges::count(outcomes, verdict, &Outcome::verdict);
}

std::string lines(const std::vector<std::string>& transcript) {
  std::string out;
  for (const std::string& each : transcript) out += each + "\n";
  return out;
}

std::string testcase(const Outcome& each) {
  std::string out = fmt::format(R"(  <testcase classname="{} {}" name="{} {}" time="{:.3f}")",
                                to_name(each.level), escaped(each.section), each.id,
                                escaped(each.title), each.seconds);
  if (each.verdict == Verdict::passed) return out + "/>\n";
  if (each.verdict == Verdict::skipped) {
    return out +
           fmt::format(">\n    <skipped message=\"{}\"/>\n  </testcase>\n", escaped(each.message));
  }
  return out + fmt::format(">\n    <failure message=\"{}\">{}</failure>\n  </testcase>\n",
                           escaped(each.message), escaped(lines(each.transcript)));
}

}  // namespace

Json report_json(const std::string& subject, const std::vector<Outcome>& outcomes) {
  Json cases = Json::array();
  for (const Outcome& each : outcomes) {
    cases.push_back(
        {{"id", each.id},
         {"level", to_name(each.level)},
         {"section", each.section},
         {"title", each.title},
         {"verdict", to_name(each.verdict)},
         {"message", each.message},
         {"seconds", each.seconds},
         {"transcript", each.verdict == Verdict::failed ? Json(each.transcript) : Json::array()}});
  }
  return Json{{"schema", "betatune.tck/1"},
              {"subject", subject},
              {"protocol", kProtocolVersion},
              {"passed", count(outcomes, Verdict::passed)},
              {"failed", count(outcomes, Verdict::failed)},
              {"skipped", count(outcomes, Verdict::skipped)},
              {"conforms", !has_failed(outcomes)},
              {"cases", std::move(cases)}};
}

std::string report_junit(const std::string& subject, const std::vector<Outcome>& outcomes) {
  double seconds = 0;
  for (const Outcome& each : outcomes) seconds += each.seconds;
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format(
      "<testsuite name=\"betatune tck {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" "
      "time=\"{:.3f}\">\n",
      escaped(subject), outcomes.size(), count(outcomes, Verdict::failed),
      count(outcomes, Verdict::skipped), seconds);
  for (const Outcome& each : outcomes) out += testcase(each);
  return out + "</testsuite>\n";
}

}  // namespace betatune::tck
