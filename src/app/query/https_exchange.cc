#include "app/query/https_exchange.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string_view>

#include "app/text.h"
#include "base/last_words.h"
#include "dns/constants.h"

namespace sotto {

namespace {

constexpr int failed = NGHTTP2_ERR_CALLBACK_FAILURE;  // the session gives up
constexpr std::string_view media_type = "application/dns-message";
constexpr std::size_t shown_octets_max = 100;  // of what a server says in plain words

std::string base64url(std::span<const std::uint8_t> octets) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr unsigned digit_bits = 6;
  std::string text;
  unsigned bits = 0;
  unsigned count = 0;
  for (const std::uint8_t octet : octets) {
    bits = (bits << 8U) | octet;
    for (count += 8; count >= digit_bits;) {
      count -= digit_bits;
      text += alphabet[(bits >> count) & 0x3FU];
    }
  }
  if (count > 0) text += alphabet[(bits << (digit_bits - count)) & 0x3FU];
  return text;
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto octets = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view text_of(const std::uint8_t* octets, std::size_t count) {
  return {reinterpret_cast<const char*>(octets), count};
}

}  // namespace

struct HttpsExchange::Callbacks {
  static HttpsExchange& self(void* user_data) { return *static_cast<HttpsExchange*>(user_data); }

  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                       std::size_t name_octets, const std::uint8_t* value, std::size_t value_octets,
                       std::uint8_t, void* user_data) {
    self(user_data).on_field(text_of(name, name_octets), text_of(value, value_octets));
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* octets,
                     std::size_t count, void* user_data) {
    self(user_data).on_body({octets, count});
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t, std::uint32_t error, void* user_data) {
    self(user_data).on_closed(error);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      self(user_data).broken_ = std::string("the server ended the connection with ") +
                                nghttp2_http2_strerror(frame->goaway.error_code);
    }
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* buffer, std::size_t octets,
                           std::uint32_t* flags, nghttp2_data_source*, void* user_data) {
    HttpsExchange& exchange = self(user_data);
    const auto& body = exchange.question_.body;
    const std::size_t count = std::min(octets, body.size() - exchange.sent_);
    std::memcpy(buffer, body.data() + exchange.sent_, count);
    exchange.sent_ += count;
    if (exchange.sent_ == body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }
};

HttpsExchange::HttpsExchange(Question question) : question_(std::move(question)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_header_callback(callbacks,
                                                   guarded<&Callbacks::on_header, failed>);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                            guarded<&Callbacks::on_data, failed>);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         guarded<&Callbacks::on_close, failed>);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                       guarded<&Callbacks::on_frame, failed>);
  const int made = nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) throw std::bad_alloc();
  const nghttp2_settings_entry no_push{NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &no_push, 1);
  ask();
}

HttpsExchange::~HttpsExchange() {
  nghttp2_session_del(session_);
}

void HttpsExchange::ask() {
  const std::string path =
      question_.get ? question_.path + "?dns=" + base64url(question_.body) : question_.path;
  const std::string length = std::to_string(question_.body.size());
  std::array<nghttp2_nv, 7> fields{
      field(":method", question_.get ? "GET" : "POST"),
      field(":scheme", "https"),
      field(":authority", question_.authority),
      field(":path", path),
      field("accept", media_type),
      field("content-type", media_type),
      field("content-length", length),
  };
  const nghttp2_data_provider body{.source = {.ptr = nullptr},
                                   .read_callback = guarded<&Callbacks::read_body, failed>};
  const std::size_t count = question_.get ? fields.size() - 2 : fields.size();
  if (nghttp2_submit_request(session_, nullptr, fields.data(), count,
                             question_.get ? nullptr : &body, nullptr) < 0) {
    throw std::bad_alloc();
  }
}

std::vector<std::uint8_t> HttpsExchange::output() {
  std::vector<std::uint8_t> octets;
  for (;;) {  // ends: nghttp2 has only so much to say
    const std::uint8_t* data = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &data);
    if (count <= 0) return octets;
    octets.insert(octets.end(), data, data + count);
  }
}

void HttpsExchange::receive(std::span<const std::uint8_t> octets) {
  // "HTTP/1.1 400 …" would be taken for a frame of 4,740,180 octets.
  constexpr std::string_view http1 = "HTTP/1";
  if (start_.size() < http1.size()) {
    const auto part = octets.first(std::min(http1.size() - start_.size(), octets.size()));
    start_.insert(start_.end(), part.begin(), part.end());
    if (text_of(start_.data(), start_.size()) == http1) {
      broken_ = "the server speaks HTTP/1 only, DNS over HTTPS needs HTTP/2";
      done_ = true;
      return;
    }
  }
  const ssize_t taken = nghttp2_session_mem_recv(session_, octets.data(), octets.size());
  if (taken < 0) {
    broken_ = std::string("what the server sent is not HTTP/2: ") +
              nghttp2_strerror(static_cast<int>(taken));
  }
  if (!broken_.empty()) done_ = true;
}

void HttpsExchange::on_field(std::string_view name, std::string_view value) {
  if (name == ":status") status_ = value;
  if (name == "content-type") content_type_ = value;
  if (name == "cache-control") cache_control_ = value;
}

void HttpsExchange::on_body(std::span<const std::uint8_t> octets) {
  const std::size_t room = message_octets_max + 1 - std::min(body_.size(), message_octets_max + 1);
  const auto part = octets.first(std::min(octets.size(), room));
  body_.insert(body_.end(), part.begin(), part.end());
}

void HttpsExchange::on_closed(std::uint32_t error) {
  done_ = true;
  if (error != NGHTTP2_NO_ERROR && broken_.empty()) {
    broken_ = std::string("the server refused the request with ") + nghttp2_http2_strerror(error);
  }
}

std::string HttpsExchange::fault() const {
  if (!broken_.empty()) return broken_;
  if (status_ != "200") {
    std::string text = "HTTP status " + escaped(status_);
    if (!content_type_.starts_with("text/plain")) return text;
    std::string_view words = text_of(body_.data(), std::min(body_.size(), shown_octets_max));
    words = words.substr(0, words.find_first_of("\r\n"));
    return words.empty() ? text : text + ": " + escaped(words);
  }
  if (!lower_case(content_type_).starts_with(media_type)) {
    return "the response is " + escaped(content_type_.empty() ? "of no type" : content_type_) +
           ", not application/dns-message; is this the path of DNS?";
  }
  if (body_.size() > message_octets_max) return "the response is longer than a DNS message";
  return {};
}

}  // namespace sotto
