// What nghttp2 calls while it receives and sends, and how it is set up.
#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>
#include <nghttp2/nghttp2.h>

#include "base/last_words.h"
#include "transport/http2_server.h"

namespace sotto {
namespace {

constexpr int failed = NGHTTP2_ERR_CALLBACK_FAILURE;  // the session gives up
constexpr std::size_t field_overhead_octets = 32;     // RFC 9113 §6.5.2

std::string_view text_of(nghttp2_rcbuf* buffer) {
  const nghttp2_vec octets = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(octets.base), octets.len};
}

}  // namespace

// Nothing here fails: what ends a connection is remembered, and nghttp2 told to send GOAWAY.
struct Http2Server::Callbacks {
  static Http2Server& server(void* user_data) { return *static_cast<Http2Server*>(user_data); }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* header, void* user_data) {
    if (header->type == NGHTTP2_HEADERS) server(user_data).begin_block(header->stream_id);
    return 0;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      server(user_data).begin(frame->hd.stream_id);
    } else {
      server(user_data).begin_trailers(frame->hd.stream_id);
    }
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name,
                       nghttp2_rcbuf* value, std::uint8_t, void* user_data) {
    server(user_data).on_field(text_of(name), text_of(value));
    return 0;
  }

  // RFC 9113 §8.2.1: a request with a field that is not allowed is malformed. Left alone, nghttp2
  // ignores the field; so it resets the stream with PROTOCOL_ERROR.
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*,
                               nghttp2_rcbuf*, std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id,
                           const std::uint8_t* octets, std::size_t count, void* user_data) {
    Http2Server& self = server(user_data);
    if (Stream* stream = self.find(static_cast<std::uint32_t>(id))) {
      self.on_body(*stream, {octets, count});
    }
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Server& self = server(user_data);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        self.fields_of_ = nullptr;
        [[fallthrough]];
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
        if (Stream* stream = self.find(static_cast<std::uint32_t>(frame->hd.stream_id))) {
          self.on_request_ended(*stream);
        }
        break;
      case NGHTTP2_GOAWAY:
        if (self.ending_ == Http2Ending::none) self.ending_ = Http2Ending::goodbye;
        break;
      default:
        break;
    }
    return 0;
  }

  static int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error,
                              void* user_data) {
    Http2Server& self = server(user_data);
    if (error == NGHTTP2_ERR_REFUSED_STREAM) {
      self.ids_.on_unfinished(static_cast<std::uint32_t>(frame->hd.stream_id));
    }
    self.check(self.allowance_.on_reset());
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    Http2Server& self = server(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      const bool ours = self.broken() || frame->goaway.error_code == NGHTTP2_NO_ERROR;
      if (!ours) self.ending_ = Http2Ending::protocol;
    } else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      const Stream* stream = self.find(static_cast<std::uint32_t>(frame->hd.stream_id));
      // RFC 9113 §8.1: the rest of the request is not wanted.
      if (stream != nullptr && !stream->request_ended) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
      }
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
    Http2Server& self = server(user_data);
    if (Stream* stream = self.find(static_cast<std::uint32_t>(id))) self.on_closed(*stream);
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* buffer,
                           std::size_t buffer_octets, std::uint32_t* flags,
                           nghttp2_data_source* source, void* user_data) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    const std::size_t count = std::min(buffer_octets, stream.body.size() - stream.sent);
    std::memcpy(buffer, stream.body.data() + stream.sent, count);
    stream.sent += count;
    server(user_data).held_octets_ -= count;
    if (stream.sent == stream.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  // Both are the same for all connections, which copy them.
  static nghttp2_session_callbacks* functions() {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, guarded<on_begin_frame, failed>);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made,
                                                            guarded<on_begin_headers, failed>);
    nghttp2_session_callbacks_set_on_header_callback2(made, guarded<on_header, failed>);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(made,
                                                              guarded<on_invalid_header, failed>);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, guarded<on_data_chunk, failed>);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, guarded<on_frame, failed>);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made,
                                                                 guarded<on_invalid_frame, failed>);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, guarded<on_frame_sent, failed>);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, guarded<on_stream_close, failed>);
    return made;
  }

  static nghttp2_option* options() {
    nghttp2_option* made = nullptr;
    if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
    nghttp2_option_set_max_deflate_dynamic_table_size(made, http2_response_table_octets);
    // Nobody's tree of priorities hangs on streams that are closed.
    nghttp2_option_set_no_closed_streams(made, 1);
    // nghttp2's own limit is by its own clock; Http2Allowance is stricter.
    nghttp2_option_set_stream_reset_rate_limit(made, UINT64_MAX, UINT64_MAX);
    return made;
  }
};

// The C library's, but for the one large block of the start.
struct Http2Server::Memory {
  static constexpr std::size_t frame_payload_octets = 16'384;  // RFC 9113 §6.5.2, at least

  static bool is_frame_room(const Http2Server& self, std::size_t octets) {
    return self.opening_ && self.room_ != nullptr && octets > frame_payload_octets &&
           octets <= self.room_->octets.size();
  }
  static void* allocate(std::size_t octets, void* user_data) {
    const Http2Server& self = server(user_data);
    return is_frame_room(self, octets) ? self.room_->octets.data() : std::malloc(octets);
  }
  static void release(void* block, void* user_data) {
    const Http2Server& self = server(user_data);
    if (self.room_ == nullptr || block != self.room_->octets.data()) std::free(block);
  }
  static void* allocate_zeros(std::size_t count, std::size_t octets, void*) {
    return std::calloc(count, octets);
  }
  static void* resize(void* block, std::size_t octets, void* user_data) {
    if (block == nullptr) return allocate(octets, user_data);
    const Http2Server& self = server(user_data);
    assert(self.room_ == nullptr || block != self.room_->octets.data());
    return std::realloc(block, octets);
  }
  static Http2Server& server(void* user_data) { return *static_cast<Http2Server*>(user_data); }
};

nghttp2_session* Http2Server::open_session() {
  static const nghttp2_session_callbacks* const functions = Callbacks::functions();
  static const nghttp2_option* const options = Callbacks::options();
  nghttp2_session* session = nullptr;
  nghttp2_mem memory{.mem_user_data = this,
                     .malloc = Memory::allocate,
                     .free = Memory::release,
                     .calloc = Memory::allocate_zeros,
                     .realloc = Memory::resize};
  if (nghttp2_session_server_new3(&session, functions, this, options, &memory) != 0) {
    throw std::bad_alloc();
  }
  return session;
}

void Http2Server::submit(Stream& stream, const nghttp2_nv* fields, std::size_t count) {
  const nghttp2_data_provider body{.source = {.ptr = &stream},
                                   .read_callback = guarded<&Callbacks::read_body, failed>};
  const int result = nghttp2_submit_response(session_, stream.id, fields, count,
                                             stream.body.empty() ? nullptr : &body);
  if (result != 0) end(Http2Ending::protocol);
}

// --- a stream's events --------------------------------------------------------------------------

// While a connection ends, nghttp2 ignores what is new.
void Http2Server::begin_block(std::int32_t id) {
  const auto stream = static_cast<std::uint32_t>(id);
  const bool in_order = ids_.on_headers(stream, find(stream) != nullptr);
  if (!in_order && ending_ == Http2Ending::none) end(Http2Ending::protocol);
}

void Http2Server::begin(std::int32_t id) {
  auto* stream = new Stream;
  stream->id = id;
  others_.push_back(*stream);
  nghttp2_session_set_stream_user_data(session_, id, stream);
  fields_of_ = stream;
}

void Http2Server::begin_trailers(std::int32_t id) {
  fields_of_ = find(static_cast<std::uint32_t>(id));
  if (fields_of_ != nullptr) fields_of_->in_trailers = true;
}

// Is there room for the field?
bool Http2Server::count_field(std::string_view name, std::string_view value) {
  if (fields_of_ == nullptr) return false;
  Stream& stream = *fields_of_;
  stream.field_octets += name.size() + value.size() + field_overhead_octets;
  if (stream.field_octets <= http2_header_list_octets_max) return true;
  if (stream.field_octets > http2_header_bomb_octets) end(Http2Ending::header_fields);
  if (stream.state == Stream::State::arriving) {
    on_whole(stream, HttpRequestView::Fault::header_list_too_large);
  }
  return false;
}

void Http2Server::on_field(std::string_view name, std::string_view value) {
  if (!count_field(name, value) || fields_of_->in_trailers) return;
  Stream& stream = *fields_of_;
  const auto keep = [&](Text& part) {
    part = {.at = static_cast<std::uint16_t>(stream.text.size()),
            .length = static_cast<std::uint16_t>(value.size())};
    stream.text.append(value);
    count_request(value.size());
  };
  if (name == ":path") {
    keep(stream.path);
  } else if (name == ":method") {
    keep(stream.method);
    stream.head = value == "HEAD";
  } else if (name == "content-type") {
    keep(stream.content_type);
  }
}

void Http2Server::on_body(Stream& stream, std::span<const std::uint8_t> octets) {
  if (stream.state != Stream::State::arriving) return;
  if (stream.body.size() + octets.size() > http2_body_octets_max) {
    request_octets_ -= stream.body.size();
    stream.body = std::vector<std::uint8_t>();
    return on_whole(stream, HttpRequestView::Fault::body_too_large);
  }
  stream.body.insert(stream.body.end(), octets.begin(), octets.end());
  count_request(octets.size());
}

void Http2Server::count_request(std::size_t octets) {
  request_octets_ += octets;
  if (request_octets_ > http2_requests_octets_max) end(Http2Ending::bodies);
}

void Http2Server::on_request_ended(Stream& stream) {
  stream.request_ended = true;
  if (stream.state == Stream::State::arriving) on_whole(stream, HttpRequestView::Fault::none);
}

void Http2Server::on_whole(Stream& stream, HttpRequestView::Fault fault) {
  stream.state = Stream::State::whole;
  stream.fault = fault;
  others_.remove(stream);
  whole_.push_back(stream);
}

void Http2Server::on_closed(Stream& stream) {
  const bool answered = stream.state == Stream::State::answered;
  if (answered) {
    held_octets_ -= stream.body.size() - stream.sent;
  } else if (stream.state != Stream::State::taken) {
    request_octets_ -= stream.text.size() + stream.body.size();
  }
  if (answered && stream.sent == stream.body.size()) {
    allowance_.on_response();
  } else {
    check(allowance_.on_reset());
  }
  if (fields_of_ == &stream) fields_of_ = nullptr;
  if (!stream.request_ended) ids_.on_unfinished(static_cast<std::uint32_t>(stream.id));
  destroy(stream.state == Stream::State::whole ? whole_ : others_, stream);
}

}  // namespace sotto
