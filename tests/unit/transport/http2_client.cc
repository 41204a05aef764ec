#include "http2_client.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace sotto::test {

void Http2Client::set_callbacks(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks,
      [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t octets,
         const std::uint8_t* value, std::size_t value_octets, std::uint8_t, void* user_data) {
        Response& response =
            self(user_data).responses_[static_cast<std::uint32_t>(frame->hd.stream_id)];
        response.fields[std::string(name, name + octets)] =
            std::string(value, value + value_octets);
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* octets,
                    std::size_t count, void* user_data) {
        Octets& body = self(user_data).responses_[static_cast<std::uint32_t>(stream)].body;
        body.insert(body.end(), octets, octets + count);
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
        Http2Client& client = self(user_data);
        if (frame->hd.type == NGHTTP2_GOAWAY) {
          client.goaway_ = true;
          client.goaway_error_ = frame->goaway.error_code;
        }
        if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
        Response& response = client.responses_[static_cast<std::uint32_t>(frame->hd.stream_id)];
        if (frame->hd.type == NGHTTP2_HEADERS) ++response.headers;
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) response.ended = true;
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user_data) {
        Response& response = self(user_data).responses_[static_cast<std::uint32_t>(stream)];
        response.closed = true;
        response.error = error;
        return 0;
      });
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame*, int, void* user_data) {
        self(user_data).confused_ = true;
        return 0;
      });
}

Http2Client::Http2Client(const Options& options) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) abort();
  set_callbacks(callbacks);
  nghttp2_option_set_no_auto_window_update(option, options.automatic_windows ? 0 : 1);
  if (nghttp2_session_client_new2(&session_, callbacks, this, option) != 0) abort();
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.window};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &window, 1);
}

std::uint32_t Http2Client::get(std::string_view path, std::string_view method) {
  return ask({{":method", std::string(method)},
              {":scheme", "https"},
              {":authority", "dns.test"},
              {":path", std::string(path)},
              {"accept", "application/dns-message"}},
             nullptr);
}

std::uint32_t Http2Client::post(std::string_view path, std::span<const std::uint8_t> body,
                                std::string_view content_type) {
  const Octets octets(body.begin(), body.end());
  return ask({{":method", "POST"},
              {":scheme", "https"},
              {":authority", "dns.test"},
              {":path", std::string(path)},
              {"accept", "application/dns-message"},
              {"content-type", std::string(content_type)},
              {"content-length", std::to_string(body.size())}},
             &octets);
}

std::uint32_t Http2Client::ask(const Fields& fields, const Octets* body, bool endless) {
  std::vector<nghttp2_nv> values;
  for (const auto& [name, value] : fields) {
    const auto of = [](const std::string& text) {
      return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    values.push_back({of(name), of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  nghttp2_data_provider provider{};
  if (body != nullptr) {
    uploads_.push_back({*body, 0, endless});
    provider.source.ptr = &uploads_.back();
    provider.read_callback = read_upload;
  }
  const std::int32_t stream =
      nghttp2_submit_request(session_, nullptr, values.data(), values.size(),
                             body != nullptr ? &provider : nullptr, nullptr);
  assert(stream > 0);
  return static_cast<std::uint32_t>(stream);
}

ssize_t Http2Client::read_upload(nghttp2_session*, std::int32_t, std::uint8_t* buffer,
                                 std::size_t octets, std::uint32_t* flags,
                                 nghttp2_data_source* source, void*) {
  Upload& upload = *static_cast<Upload*>(source->ptr);
  const std::size_t count = std::min(octets, upload.body.size() - upload.sent);
  if (count > 0) std::memcpy(buffer, upload.body.data() + upload.sent, count);
  upload.sent += count;
  if (upload.sent < upload.body.size()) return static_cast<ssize_t>(count);
  if (!upload.endless) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  } else if (count == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(count);
}

Octets Http2Client::output() {
  Octets octets;
  for (;;) {  // ends as nghttp2 has only so much to say
    const std::uint8_t* data = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &data);
    if (count <= 0) return octets;
    octets.insert(octets.end(), data, data + count);
  }
}

void Http2Client::receive(std::span<const std::uint8_t> octets) {
  if (nghttp2_session_mem_recv(session_, octets.data(), octets.size()) < 0) confused_ = true;
}

}  // namespace sotto::test
