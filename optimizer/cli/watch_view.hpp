#pragma once
/// What `betatune watch` shows: a view that is drawn again in place, or a line per event.

#include <deque>
#include <string>
#include <vector>

#include "optimizer/cli/event_text.hpp"
#include "optimizer/cli/followed_study.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/status_text.hpp"
#include "optimizer/cli/terminal.hpp"

namespace betatune {

class WatchView {
 public:
  virtual ~WatchView() = default;
  /// For how many of the events that there are already it wants decisions.
  virtual Sequence decisions_wanted() const = 0;
  /// The study has not begun.
  virtual void wait_for(const StudyPlace& place) = 0;
  /// A study begins to be shown.
  virtual void begin() = 0;
  virtual void on_event(const FollowedStudy& study, const Event& event,
                        const std::optional<RungDecision>& decision) = 0;
  /// Behind all events that there are. Errors: the reader's.
  virtual Status look(const FollowedStudy& study) = 0;
};

/// On a terminal.
class DrawnView final : public WatchView {
 public:
  explicit DrawnView(int descriptor) : descriptor_(descriptor) {}
  Sequence decisions_wanted() const override;
  void wait_for(const StudyPlace& place) override;
  void begin() override;
  void on_event(const FollowedStudy& study, const Event& event,
                const std::optional<RungDecision>& decision) override;
  Status look(const FollowedStudy& study) override;

 private:
  Result<std::string> text_of(const FollowedStudy& study);
  std::string decisions(const Objective& objective) const;
  void draw(const std::string& text);

  int descriptor_;
  std::deque<RungDecision> last_;
  StatusParts parts_;
  Sequence parts_at_ = 0;  ///< how much of the log `parts_` are of
  std::size_t drawn_ = 0;  ///< lines
};

/// Elsewhere.
class LinesView final : public WatchView {
 public:
  /// json: events and decisions as JSON, each on its line.
  explicit LinesView(bool json) : json_(json) {}
  Sequence decisions_wanted() const override;
  void wait_for(const StudyPlace& place) override;
  void begin() override { text_.reset(); }
  void on_event(const FollowedStudy& study, const Event& event,
                const std::optional<RungDecision>& decision) override;
  Status look(const FollowedStudy& study) override;

 private:
  bool json_;
  bool told_to_wait_ = false, told_of_stop_ = false;
  Objective objective_;
  std::optional<EventText> text_;
};

/// Lines of a text, each cut to the columns of the terminal and all to its rows, one left free for
/// the cursor.
std::vector<std::string> lines_that_fit(const std::string& text, TerminalSize size);

}  // namespace betatune
