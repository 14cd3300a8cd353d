#pragma once
/// Gives folders to the optimizer whose study's folder this machine does not see, file by file and
/// one folder after the other (PUT of BTP/1). Where a message is lost it goes back to what the
/// optimizer has; after a new session it asks for each file what is there.

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "searchspaces/result.hpp"
#include "trainers/work_key.hpp"
#include "transport/digest.hpp"
#include "transport/message.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {

struct Parcel {
  WorkKey key;
  std::string folder;          ///< its name there, below the study's folder
  std::filesystem::path from;  ///< where it is here
  /// In the order in which they are sent. A digest that is not known is empty.
  std::vector<SealedFile> files;
};

class FileSender {
 public:
  using Send = std::function<void(const Message&)>;
  /// The parcel has arrived, or why it never will. Called last in whatever calls it.
  using Done = std::function<void(const Parcel&, const Status&)>;

  FileSender(Send send, Done done);

  void take(Parcel parcel);
  /// Forgets what is left of this attempt; nothing more is said of it.
  void drop(const WorkKey& key);
  void received(const FileStored& stored, std::chrono::milliseconds now);
  /// A new session: what was on the way may be lost, and what the optimizer had too.
  void begin_again(std::chrono::milliseconds now);
  void tick(std::chrono::milliseconds now);
  /// A digest that nobody has given is made in steps, between which the loop does everything else.
  /// True if there is another step to do.
  bool step(std::chrono::milliseconds now);

 private:
  /// The file being sent.
  struct Current {
    std::uint64_t size = 0;
    std::string digest;               ///< empty: it is being made
    std::optional<Digester> reading;  ///< so far
    std::uint64_t read = 0;
    bool asked = false;  ///< what the optimizer has of it
    bool known = false;
    std::uint64_t there = 0;  ///< bytes that it has
    std::uint64_t sent = 0;
  };

  void pump(std::chrono::milliseconds now);
  bool open_file();
  bool read_on();
  void ask();
  void send_bytes();
  PutFile message() const;
  void file_done();
  void finish(const Status& status);

  Send send_;
  Done done_;
  std::deque<Parcel> parcels_;  ///< the first is being sent
  std::size_t at_ = 0;          ///< file of it
  std::optional<Current> current_;
  int refused_ = 0;
  std::chrono::milliseconds moved_{0};
};

}  // namespace betatune
