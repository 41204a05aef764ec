#include "transport/http2_server.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <nghttp2/nghttp2.h>
#include <utility>

namespace sotto {
namespace {

// SETTINGS_NO_RFC7540_PRIORITIES: no tree of priorities is kept for a client (RFC 9218 §2.1).
constexpr std::array<nghttp2_settings_entry, 3> our_settings{{
    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, http2_streams_max},
    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, http2_header_list_octets_max},
    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
}};

// nghttp2 takes fields as it does not change them, but not as const.
std::uint8_t* octets_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// A response's fields, at most five. Values live until nghttp2_submit_response() has copied them.
class Fields {
 public:
  // shared: worth a place in the table of what repeats.
  void add(std::string_view name, std::string_view value, bool shared) {
    const int flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | (shared ? 0 : NGHTTP2_NV_FLAG_NO_INDEX);
    fields_[count_++] = {octets_of(name), octets_of(value), name.size(), value.size(),
                         static_cast<std::uint8_t>(flags)};
  }
  const nghttp2_nv* data() const { return fields_.data(); }
  std::size_t size() const { return count_; }

 private:
  std::array<nghttp2_nv, 5> fields_;
  std::size_t count_ = 0;
};

// Room for the frames of some responses, so that the queue grows once or twice and not with each.
constexpr std::size_t ready_octets_first = 1'024;

// RFC 9113 §4.1.
constexpr std::size_t frame_header_octets = 9;
constexpr std::size_t frame_type_at = 3;
constexpr std::size_t frame_flags_at = 4;

std::string_view decimal(std::size_t number, std::span<char> buffer) {
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

}  // namespace

std::size_t first_response_octets(std::span<const std::uint8_t> frames) {
  std::size_t at = 0;
  bool ends = false;
  while (!ends && frames.size() - at >= frame_header_octets) {
    const std::uint8_t* header = frames.data() + at;
    const std::size_t payload =
        std::size_t{header[0]} << 16U | std::size_t{header[1]} << 8U | header[2];
    ends = header[frame_type_at] == NGHTTP2_DATA ||
           (header[frame_type_at] == NGHTTP2_HEADERS &&
            (header[frame_flags_at] & NGHTTP2_FLAG_END_STREAM) != 0);
    at = std::min(frames.size(), at + frame_header_octets + payload);
  }
  return ends ? at : frames.size();
}

Http2Server::Http2Server(Http2FrameRoom* room) : room_(room), session_(open_session()) {
  opening_ = false;
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, our_settings.data(), our_settings.size());
}

Http2Server::~Http2Server() {
  nghttp2_session_del(session_);
  while (Stream* stream = whole_.front()) destroy(whole_, *stream);
  while (Stream* stream = others_.front()) destroy(others_, *stream);
}

void Http2Server::destroy(Streams& list, Stream& stream) {
  list.remove(stream);
  delete &stream;
}

// --- requests -----------------------------------------------------------------------------------

void Http2Server::receive(std::span<const std::uint8_t> octets) {
  if (broken()) return;
  check(allowance_.receive(octets));
  if (broken()) return;
  if (nghttp2_session_mem_recv(session_, octets.data(), octets.size()) < 0) {
    silent_ = true;
    end(Http2Ending::protocol);
  }
}

std::optional<HttpRequestView> Http2Server::next() {
  taken_.reset();
  Stream* stream = whole_.front();
  if (stream == nullptr || broken()) return std::nullopt;
  whole_.remove(*stream);
  others_.push_back(*stream);
  stream->state = Stream::State::taken;
  request_octets_ -= stream->text.size() + stream->body.size();
  taken_.emplace(Taken{std::move(stream->text), std::move(stream->body)});
  const auto text = [&](Text part) {
    return std::string_view(taken_->text).substr(part.at, part.length);
  };
  return HttpRequestView{.stream = static_cast<std::uint32_t>(stream->id),
                         .fault = stream->fault,
                         .method = text(stream->method),
                         .path = text(stream->path),
                         .content_type = text(stream->content_type),
                         .body = taken_->body};
}

Http2Server::Stream* Http2Server::find(std::uint32_t id) const {
  return static_cast<Stream*>(
      nghttp2_session_get_stream_user_data(session_, static_cast<std::int32_t>(id)));
}

// --- responses ----------------------------------------------------------------------------------

bool Http2Server::waits(std::uint32_t stream) const {
  if (broken()) return false;
  const Stream* found = find(stream);
  return found != nullptr && found->state == Stream::State::taken;
}

void Http2Server::respond(std::uint32_t id, const HttpResponse& response) {
  assert(waits(id));
  Stream& stream = *find(id);
  stream.state = Stream::State::answered;
  std::array<char, 8> status{};
  std::array<char, 24> length{};
  Fields fields;
  fields.add(":status", decimal(response.status, status), true);
  if (!response.content_type.empty()) fields.add("content-type", response.content_type, true);
  fields.add("content-length", decimal(response.body.size(), length), false);
  if (!response.cache_control.empty()) fields.add("cache-control", response.cache_control, false);
  if (!response.allow.empty()) fields.add("allow", response.allow, false);
  if (!stream.head) stream.body.assign(response.body.begin(), response.body.end());
  held_octets_ += stream.body.size();
  if (held() > http2_unread_octets_max) return end(Http2Ending::unread);
  submit(stream, fields.data(), fields.size());
  gather();
}

void Http2Server::produce(OctetQueue& octets) {
  gather();
  if (ready_.empty()) return;
  OctetQueue ready = std::exchange(ready_, {});  // memory that an idle connection would keep
  if (octets.empty()) {
    octets = std::move(ready);
  } else {
    octets.append(ready.octets());
  }
}

// With each response, as nghttp2 lets the header fields of all responses leave before the first
// body. To the end: what it has begun to put together must not wait in room_.
void Http2Server::gather() {
  while (!silent_) {
    const std::uint8_t* data = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &data);
    if (count < 0) {
      silent_ = true;
      end(Http2Ending::protocol);
    }
    if (count <= 0) return;
    const auto frame = std::span(data, static_cast<std::size_t>(count));
    ready_.space(ready_.empty() ? std::max(frame.size(), ready_octets_first) : frame.size());
    ready_.append(frame);
  }
}

// --- the end ------------------------------------------------------------------------------------

void Http2Server::stop() {
  if (ending_ != Http2Ending::none) return;
  ending_ = Http2Ending::goodbye;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

bool Http2Server::ended() const {
  return broken() || (ending_ == Http2Ending::goodbye && streams() == 0 && ready_.empty());
}

void Http2Server::end(Http2Ending ending) {
  if (broken()) return;
  ending_ = ending;
  const bool abuse = ending != Http2Ending::protocol;
  nghttp2_session_terminate_session(session_,
                                    abuse ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
}

}  // namespace sotto
