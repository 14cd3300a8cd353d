#pragma once
/// Gets checkpoints from an optimizer whose study's folder this machine does not see, one after the
/// other (GET of BTP/1): its list first, then every file of it; checked byte for byte while they
/// arrive, so that the loop never stands still to read them again.

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "searchspaces/result.hpp"
#include "trainers/work_key.hpp"
#include "transport/digest.hpp"
#include "transport/message.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {

struct Order {
  WorkKey key;
  ArtifactRef checkpoint;        ///< has a digest
  std::filesystem::path folder;  ///< where it is to be, here
};

class FileFetcher {
 public:
  using Send = std::function<void(const Message&)>;
  /// It is there. Errors: corrupt (missing or damaged at the optimizer), unavailable (the disk
  /// here). Called last in whatever calls it.
  using Done = std::function<void(const Order&, const Status&)>;

  FileFetcher(Send send, Done done);

  void take(Order order);
  /// Forgets what is left of this attempt; nothing more is said of it.
  void drop(const WorkKey& key);
  void received(const FileData& data, std::chrono::milliseconds now);
  void tick(std::chrono::milliseconds now);

 private:
  void begin();
  void pump(std::chrono::milliseconds now);
  void file_done(std::chrono::milliseconds now);
  Status write(const FileData& data);
  /// Of the file that has arrived. Errors: corrupt, unavailable.
  Status check();
  Status read_list();
  std::filesystem::path beside() const;
  void finish(const Status& status);

  Send send_;
  Done done_;
  std::deque<Order> orders_;       ///< the first is being fetched
  std::vector<SealedFile> files_;  ///< of it; the list is the first
  std::size_t at_ = 0;
  std::uint64_t here_ = 0;   ///< bytes of the present file that have arrived
  std::uint64_t asked_ = 0;  ///< bytes of it that were asked for
  std::optional<std::uint64_t> size_;
  Digester so_far_;  ///< of what has arrived of the present file
  int spoilt_ = 0;
  std::chrono::milliseconds moved_{0};
};

}  // namespace betatune
