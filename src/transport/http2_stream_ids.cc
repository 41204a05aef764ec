#include "transport/http2_stream_ids.h"

#include <algorithm>

namespace sotto {

bool Http2StreamIds::on_headers(std::uint32_t id, bool open) {
  if (id % 2 == 0) return true;  // never a client's: nghttp2 knows
  if (id > highest_) {
    highest_ = id;
    return true;
  }
  return open || id <= unknown_up_to_ ||
         std::find(unfinished_.begin(), unfinished_.end(), id) != unfinished_.end();
}

void Http2StreamIds::on_unfinished(std::uint32_t id) {
  if (unfinished_.size() == unfinished_kept) {
    unknown_up_to_ = std::max(unknown_up_to_, unfinished_.front());
    unfinished_.erase(unfinished_.begin());
  }
  unfinished_.push_back(id);
}

}  // namespace sotto
