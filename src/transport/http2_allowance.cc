#include "transport/http2_allowance.h"

#include <algorithm>

namespace sotto {
namespace {

struct Rule {
  Http2Ending kind;
  std::string_view text;
  std::uint32_t at_start = 0;  // and the most there ever is; 0: not counted here
  std::uint32_t for_response = 0;
};

// Clients that behave were seen to send: a SETTINGS and an ACK in all; a PING for each response at
// most (those that measure the path); two WINDOW_UPDATEs for each DATA frame; five PRIORITYs at the
// start; a small DATA frame before an empty one that ends the request; DATA of a request that was
// answered early. Everything else is room for what was not seen. At the start there is enough for
// as many requests as may be open, before any has its response.
constexpr std::array<Rule, http2_endings> rules{{
    {Http2Ending::none, "none"},
    {Http2Ending::goodbye, "goodbye"},
    {Http2Ending::protocol, "protocol"},
    {Http2Ending::resets, "resets", 256, 1},
    {Http2Ending::header_fields, "header_fields"},
    {Http2Ending::continuations, "continuations"},
    {Http2Ending::requests, "requests", 1'024, 4},
    {Http2Ending::data, "data", 512, 8},
    {Http2Ending::priorities, "priorities", 256, 4},
    {Http2Ending::settings, "settings", 32, 1},
    {Http2Ending::pings, "pings", 128, 2},
    {Http2Ending::window_updates, "window_updates", 512, 16},
    {Http2Ending::others, "others", 64, 2},
    {Http2Ending::octets, "octets", 4'194'304, 131'072},
    {Http2Ending::bodies, "bodies"},
    {Http2Ending::unread, "unread"},
}};

constexpr bool in_order() {
  for (std::size_t at = 0; at < rules.size(); ++at) {
    if (static_cast<std::size_t>(rules[at].kind) != at) return false;
  }
  return true;
}
static_assert(in_order());

enum class FrameType : std::uint8_t {  // RFC 9113 §6, RFC 9218 §7.1
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  ping = 6,
  window_update = 8,
  continuation = 9,
  priority_update = 16,
};
constexpr std::uint8_t end_stream_flag = 0x01;

}  // namespace

std::string_view http2_ending_text(Http2Ending ending) {
  return rules[static_cast<std::size_t>(ending)].text;
}

Http2Allowance::Http2Allowance() {
  for (std::size_t at = 0; at < rules.size(); ++at) left_[at] = rules[at].at_start;
}

Http2Ending Http2Allowance::receive(std::span<const std::uint8_t> octets) {
  while (!octets.empty()) {
    if (skip_ > 0) {
      const std::size_t count = std::min<std::size_t>(skip_, octets.size());
      skip_ -= static_cast<std::uint32_t>(count);
      octets = octets.subspan(count);
      continue;
    }
    const std::size_t count = std::min(frame_header_octets - header_filled_, octets.size());
    std::copy_n(octets.begin(), count, header_.begin() + header_filled_);
    header_filled_ += count;
    octets = octets.subspan(count);
    if (header_filled_ < frame_header_octets) break;
    header_filled_ = 0;
    if (const Http2Ending ending = on_frame(); ending != Http2Ending::none) return ending;
  }
  return Http2Ending::none;
}

Http2Ending Http2Allowance::on_frame() {
  const std::uint32_t length =
      (std::uint32_t{header_[0]} << 16U) | (std::uint32_t{header_[1]} << 8U) | header_[2];
  skip_ = length;
  const std::uint32_t whole = length + static_cast<std::uint32_t>(frame_header_octets);
  if (take(Http2Ending::octets, whole) != Http2Ending::none) return Http2Ending::octets;
  switch (static_cast<FrameType>(header_[3])) {
    case FrameType::data:
      if ((header_[4] & end_stream_flag) != 0) return take(Http2Ending::requests, 1);
      if (length <= http2_small_data_octets) return take(Http2Ending::data, 1);
      return Http2Ending::none;
    case FrameType::headers:
      return on_header_block(length, false);
    case FrameType::continuation:
      return on_header_block(length, true);
    case FrameType::priority:
      // RFC 9113 §6.3. nghttp2 reads none of these frames, as we keep no priorities.
      if (on_whole_connection()) return Http2Ending::protocol;
      [[fallthrough]];
    case FrameType::priority_update:
      return take(Http2Ending::priorities, 1);
    case FrameType::rst_stream:  // that ends a request is counted in on_reset(), too
      return take(Http2Ending::requests, 1);
    case FrameType::settings:
      return take(Http2Ending::settings, 1);
    case FrameType::ping:
      return take(Http2Ending::pings, 1);
    case FrameType::window_update:
      return take(Http2Ending::window_updates, 1);
    default:
      return take(Http2Ending::others, 1);
  }
}

// Stream 0; the first bit is reserved (RFC 9113 §4.1).
bool Http2Allowance::on_whole_connection() const {
  return (header_[5] & 0x7FU) == 0 && header_[6] == 0 && header_[7] == 0 && header_[8] == 0;
}

Http2Ending Http2Allowance::on_header_block(std::uint32_t length, bool continued) {
  continuations_ = continued ? continuations_ + 1 : 0;
  block_octets_ = (continued ? block_octets_ : 0) + length;
  if (continuations_ > http2_continuations_max) return Http2Ending::continuations;
  if (block_octets_ > http2_header_block_octets_max) return Http2Ending::header_fields;
  return continued ? Http2Ending::none : take(Http2Ending::requests, 1);
}

Http2Ending Http2Allowance::take(Http2Ending kind, std::uint32_t count) {
  std::uint32_t& left = left_[static_cast<std::size_t>(kind)];
  if (left < count) return kind;
  left -= count;
  return Http2Ending::none;
}

void Http2Allowance::on_response() {
  for (std::size_t at = 0; at < rules.size(); ++at) {
    left_[at] = std::min(left_[at] + rules[at].for_response, rules[at].at_start);
  }
}

}  // namespace sotto
