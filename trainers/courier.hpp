#pragma once
/// Lets attempts run on a machine that does not see the study's folder: it stands between the agent
/// and its workers. A worker gets a folder of this machine's; the checkpoint that it goes on from
/// is fetched before it begins; a checkpoint that it has published is sent, and reported when it
/// has arrived; and an attempt is over when what it leaves behind has been sent too. Attempts that
/// see the study's folder pass through.

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "trainers/agent_core.hpp"
#include "trainers/file_fetcher.hpp"
#include "trainers/file_sender.hpp"
#include "trainers/own_folder.hpp"

namespace betatune {

struct CourierOptions {
  std::filesystem::path parent;  ///< of the folder for the files; empty: the system's temporary one
  bool always = false;           ///< even where the study's folder is seen
};

/// How an attempt's processes ended, or why they could not begin.
using WorkFate = std::variant<ProcessEnd, AttemptFailure>;

class Courier {
 public:
  struct Outside {
    std::function<void(const Message&)> send;  ///< to the optimizer
    std::function<void(const WorkKey&, const Assign&)> start;
    std::function<void(const WorkKey&, Action)> tell;
    std::function<void(const WorkKey&)> end;
    std::function<void(const WorkKey&, const WorkerMessage&)> said;
    std::function<void(const WorkKey&, const WorkFate&)> over;
    std::function<void(const WorkKey&, bool)> files_travel;
  };

  Courier(CourierOptions options, Outside outside);

  // What the agent wants of its workers.
  void start(const WorkKey& key, const Assign& assign);
  void tell(const WorkKey& key, Action action);
  /// unwanted: nobody waits for what it has made.
  void end(const WorkKey& key, bool unwanted);
  // What they say.
  void said(const WorkKey& key, const WorkerMessage& message);
  void over(const WorkKey& key, WorkFate fate);
  // What the optimizer says: all messages of it.
  void received(const Message& message, Milliseconds now);
  /// `welcome`: there is a session in which messages can be sent.
  void tick(bool welcome, Milliseconds now);
  /// A part of what takes long and waits for nobody; true if there is more, to be done as soon as
  /// everything else of the loop had its turn.
  bool work(Milliseconds now);

 private:
  /// An attempt whose files travel.
  struct Trip {
    Assign assign;  ///< as its worker gets it
    bool fetching = false;
    Action told = Action::go_on;  ///< before it began
    Step step = 0;
    std::deque<ArtifactRef> checkpoints;  ///< on their way, in their order
    std::optional<WorkerEnd> end;         ///< its own word, told behind its checkpoints
    std::optional<WorkFate> fate;
    bool unwanted = false;
    bool leaving = false;  ///< what it leaves behind is being sent
  };

  bool sees_folder(const TrainerJob& job) const;
  Status make_local(Assign& assign);
  void begin(const WorkKey& key, Trip& trip);
  void fetched(const Order& order, const Status& status);
  void sent(const Parcel& parcel, const Status& status);
  void send_checkpoint(const WorkKey& key, const Trip& trip, const ArtifactRef& artifact);
  void send_rest(const WorkKey& key, Trip& trip);
  void settle(const WorkKey& key);
  void give_up(const WorkKey& key);
  void close(const WorkKey& key);

  CourierOptions options_;
  Outside outside_;
  std::optional<OwnFolder> folder_;  ///< made when first needed
  FileSender sender_;
  FileFetcher fetcher_;
  std::map<WorkKey, Trip> trips_;
  bool welcome_ = false;
};

}  // namespace betatune
