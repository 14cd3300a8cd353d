#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/cli/output.hpp"
#include "optimizer/cli/scaling_report.hpp"

namespace betatune {
namespace {

constexpr double kWidth = 480, kHeight = 360, kLeft = 70, kRight = 20, kTop = 30, kBottom = 50;

/// From numbers to pixels, both axes in doublings.
struct Axes {
  double x0 = 0, x1 = 1, y0 = 0, y1 = 1;  ///< log2 of the ends
  double x(double ranks) const {
    return kLeft + (std::log2(ranks) - x0) / (x1 - x0) * (kWidth - kLeft - kRight);
  }
  double y(double rate) const {
    return kHeight - kBottom - (std::log2(rate) - y0) / (y1 - y0) * (kHeight - kTop - kBottom);
  }
};

Axes axes_for(const std::vector<ScalingRow>& rows) {
  const ScalingRow& first = rows.front();
  const double widest = static_cast<double>(rows.back().ranks) / first.ranks;
  double low = first.rate, high = first.rate * widest;
  for (const ScalingRow& row : rows) {
    low = std::min(low, row.rate);
    high = std::max(high, row.rate);
  }
  Axes axes;
  axes.x0 = std::log2(first.ranks);
  axes.x1 = std::max(axes.x0 + 1, std::log2(rows.back().ranks));
  axes.y0 = std::log2(low) - 0.25;
  axes.y1 = std::max(axes.y0 + 1, std::log2(high) + 0.25);
  return axes;
}

std::string label(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     text);
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, style);
}

/// A name may hold what XML would read as its own.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

/// A grid line for each width, and for each doubling of the slowest rate.
std::string grid(const Axes& axes, const std::vector<ScalingRow>& rows) {
  constexpr const char* kGrid = "stroke=\"#ddd\"";
  const double bottom = kHeight - kBottom;
  std::string out;
  for (const ScalingRow& row : rows) {
    const double x = axes.x(row.ranks);
    out += line(x, kTop, x, bottom, kGrid) +
           label(x, bottom + 18, "middle", std::to_string(row.ranks));
  }
  for (double rate = rows.front().rate; std::log2(rate) <= axes.y1; rate *= 2) {
    const double y = axes.y(rate);
    out += line(kLeft, y, kWidth - kRight, y, kGrid) +
           label(kLeft - 6, y + 4, "end", fmt::format("{:.3g}", rate));
  }
  return out;
}

}  // namespace

std::string scaling_svg(const ScalingReport& report) {
  const std::vector<ScalingRow>& rows = report.table.rows;
  const Axes axes = axes_for(rows);
  std::string points, marks;
  for (const ScalingRow& row : rows) {
    const double x = axes.x(row.ranks), y = axes.y(row.rate);
    points += fmt::format("{:.1f},{:.1f} ", x, y);
    marks += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"#1f5fa8\">"
        "<title>{} ranks: {:.4g} {}, efficiency {:.0f} %</title></circle>\n",
        x, y, row.ranks, row.rate, escaped(rate_name(report)), 100 * row.efficiency);
  }
  const double last = rows.back().ranks, ideal = rows.front().rate * last / rows.front().ranks;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
             "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" "
             "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
             kWidth, kHeight) +
         grid(axes, rows) +
         line(axes.x(rows.front().ranks), axes.y(rows.front().rate), axes.x(last), axes.y(ideal),
              "stroke=\"#888\" stroke-dasharray=\"5 4\"") +
         "<polyline fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\" points=\"" + points +
         "\"/>\n" + marks +
         label(kWidth / 2, 18, "middle",
               escaped(report.study + ": " + rate_name(report) + " (dashed: efficiency 1)")) +
         label(kWidth / 2, kHeight - 12, "middle", "ranks") + "</svg>\n";
}

}  // namespace betatune
