#include "optimizer/cli/scaling_report.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "optimizer/cli/output.hpp"

namespace betatune {
namespace {

/// Reports are timed where they arrive, some milliseconds late.
constexpr double kBriefSeconds = 0.01;

std::string seconds_text(double seconds) {
  return seconds < 10 ? fmt::format("{:.3g} s", seconds) : duration_text(seconds);
}

/// Three digits are more than such a measurement is worth.
std::string rate_text(const ScalingRow& row) {
  const auto digits = [](double x) {
    return x >= 1000 ? fmt::format("{:.0f}", x) : fmt::format("{:.3g}", x);
  };
  std::string text = digits(row.rate);
  if (row.rate_deviation) text += " +- " + digits(*row.rate_deviation);
  return text;
}

template <class Format>
std::string or_dash(const std::optional<double>& value, Format format) {
  return value ? format(*value) : std::string("-");
}

std::string percent(double fraction) {
  return fmt::format("{:.0f} %", 100 * fraction);
}

bool shares_cores(const ScalingReport& report, const ScalingRow& row) {
  return report.gpus_per_rank == 0 && row.ranks * report.cpus_per_rank > report.cores;
}

std::string notes(const ScalingReport& report) {
  const ScalingTable& table = report.table;
  std::string text;
  if (!table.counts_samples) {
    text +=
        fmt::format("{}: 1 / time per {}, as this trainer does not report samples_per_second.\n",
                    rate_name(report), report.step);
  }
  const bool brief = std::ranges::any_of(
      table.rows, [](const ScalingRow& row) { return row.seconds_per_step < kBriefSeconds; });
  if (brief) {
    text += fmt::format(
        "A time of less than {:.0f} ms per {} is mostly that of the report: give a step more "
        "work.\n",
        1000 * kBriefSeconds, report.step);
  }
  text += table.counts_start
              ? fmt::format("Trainings of one {} only: the start of the processes is counted.\n",
                            report.step)
              : fmt::format("The first {} of each training is a warm-up, and not counted.\n",
                            report.step);
  for (const ScalingRow& row : table.rows) {
    if (!shares_cores(report, row)) continue;
    text += fmt::format("{} ranks of {} CPU each share {} cores.\n", row.ranks,
                        report.cpus_per_rank, report.cores);
  }
  return text;
}

Json row_json(const ScalingReport& report, const ScalingRow& row) {
  return Json{{"ranks", row.ranks},
              {"cpus", row.ranks * report.cpus_per_rank},
              {"gpus", row.ranks * report.gpus_per_rank},
              {"trainings", row.trainings},
              {"rate", row.rate},
              {"rate_deviation", or_null(row.rate_deviation)},
              {"seconds_per_step", row.seconds_per_step},
              {"speedup", row.speedup},
              {"efficiency", row.efficiency},
              {"communication_share", or_null(row.communication_share)},
              {"seconds_to_target", or_null(row.seconds_to_target)},
              {"folder", (report.folder / fmt::format("ranks-{}", row.ranks)).string()}};
}

}  // namespace

std::string rate_name(const ScalingReport& report) {
  return report.table.counts_samples ? "samples/s" : report.step + "s/s";
}

std::string scaling_text(const ScalingReport& report) {
  std::vector<std::string> header{"ranks",      rate_name(report),         "speed-up",
                                  "efficiency", "time per " + report.step, "communication"};
  if (report.target) header.push_back("to " + short_number(*report.target));
  Table table(std::move(header));
  for (const ScalingRow& row : report.table.rows) {
    std::vector<std::string> cells{
        std::to_string(row.ranks),          rate_text(row),
        fmt::format("{:.2f}", row.speedup), percent(row.efficiency),
        seconds_text(row.seconds_per_step), or_dash(row.communication_share, percent)};
    if (report.target) cells.push_back(or_dash(row.seconds_to_target, seconds_text));
    table.add(std::move(cells));
  }
  std::string text = table.text() + "\n";
  if (report.fit) {
    text += fit_text(*report.fit, report.table.rows.front().ranks) + "\n";
  }
  return text + notes(report);
}

Json scaling_json(const ScalingReport& report) {
  Json widths = Json::array();
  for (const ScalingRow& row : report.table.rows) widths.push_back(row_json(report, row));
  Json fit;
  if (report.fit) {
    fit = Json{{"serial", report.fit->serial},
               {"exchange", report.fit->exchange},
               {"off_by", report.fit->off_by}};
  }
  return Json{{"schema", "betatune.scaling/1"},
              {"study", report.study},
              {"configuration", report.configuration},
              {"step", report.step},
              {"rate", report.table.counts_samples ? "samples_per_second" : "steps_per_second"},
              {"counts_start", report.table.counts_start},
              {"repeats", report.repeats},
              {"cores", report.cores},
              {"target", or_null(report.target)},
              {"widths", widths},
              {"fit", fit}};
}

}  // namespace betatune
