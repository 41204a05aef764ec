// A client of HTTP/2 over memory, on nghttp2, for tests and benchmarks; and frames by hand.
#pragma once

#include <cassert>
#include <cstdint>
#include <deque>
#include <map>
#include <nghttp2/nghttp2.h>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sotto::test {

using Octets = std::vector<std::uint8_t>;

inline std::span<const std::uint8_t> view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class Http2Client {
 public:
  struct Response {
    std::map<std::string, std::string> fields;
    Octets body;
    unsigned headers = 0;  // HEADERS frames seen
    bool ended = false;    // END_STREAM
    bool closed = false;
    std::uint32_t error = 0;  // of RST_STREAM

    std::string status() const { return at(":status"); }
    std::string at(const std::string& name) const {
      const auto found = fields.find(name);
      return found == fields.end() ? std::string() : found->second;
    }
    std::string text() const { return {body.begin(), body.end()}; }
  };
  struct Options {
    std::uint32_t window = 65'535;  // of each stream
    bool automatic_windows = true;  // WINDOW_UPDATE as soon as octets come
  };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Http2Client() : Http2Client(Options{}) {}
  explicit Http2Client(const Options& options);
  ~Http2Client() { nghttp2_session_del(session_); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // The number of the stream.
  std::uint32_t get(std::string_view path, std::string_view method = "GET");
  std::uint32_t post(std::string_view path, std::span<const std::uint8_t> body,
                     std::string_view content_type = "application/dns-message");
  // body: null for none. It never ends if endless.
  std::uint32_t ask(const Fields& fields, const Octets* body, bool endless = false);
  void reset(std::uint32_t stream) {
    nghttp2_submit_rst_stream(session_, 0, static_cast<std::int32_t>(stream), NGHTTP2_CANCEL);
  }
  void allow(std::uint32_t stream, std::int32_t octets) {
    nghttp2_submit_window_update(session_, 0, static_cast<std::int32_t>(stream), octets);
  }
  void ping() { nghttp2_submit_ping(session_, 0, nullptr); }
  void goodbye() { nghttp2_submit_goaway(session_, 0, 0, NGHTTP2_NO_ERROR, nullptr, 0); }

  // What is to leave.
  Octets output();
  void receive(std::span<const std::uint8_t> octets);

  const Response& response(std::uint32_t stream) { return responses_[stream]; }
  const std::map<std::uint32_t, Response>& responses() const { return responses_; }
  bool goaway() const { return goaway_; }
  std::uint32_t goaway_error() const { return goaway_error_; }
  bool confused() const { return confused_; }  // by what the server sent
  nghttp2_session* raw() { return session_; }

 private:
  struct Upload {
    Octets body;
    std::size_t sent = 0;
    bool endless = false;
  };
  static Http2Client& self(void* user_data) { return *static_cast<Http2Client*>(user_data); }
  static void set_callbacks(nghttp2_session_callbacks* callbacks);
  static ssize_t read_upload(nghttp2_session*, std::int32_t, std::uint8_t* buffer,
                             std::size_t octets, std::uint32_t* flags, nghttp2_data_source* source,
                             void*);

  nghttp2_session* session_ = nullptr;
  std::deque<Upload> uploads_;
  std::map<std::uint32_t, Response> responses_;
  bool goaway_ = false;
  bool confused_ = false;
  std::uint32_t goaway_error_ = 0;
};

// --- frames by hand -----------------------------------------------------------------------------

inline constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline Octets frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                    std::span<const std::uint8_t> payload = {}) {
  const std::size_t size = payload.size();
  Octets octets{static_cast<std::uint8_t>(size >> 16U), static_cast<std::uint8_t>(size >> 8U),
                static_cast<std::uint8_t>(size)};
  octets.push_back(type);
  octets.push_back(flags);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    octets.push_back(static_cast<std::uint8_t>(stream >> shift));
  }
  octets.insert(octets.end(), payload.begin(), payload.end());
  return octets;
}

// Preface and empty SETTINGS.
inline Octets greeting() {
  Octets octets(http2_preface.begin(), http2_preface.end());
  const Octets settings = frame(NGHTTP2_SETTINGS, 0, 0);
  octets.insert(octets.end(), settings.begin(), settings.end());
  return octets;
}

// Literal fields without indexing, names and values of at most 126 octets (RFC 7541 §6.2.2).
inline Octets header_block(const Http2Client::Fields& fields) {
  Octets octets;
  const auto put = [&octets](const std::string& text) {
    assert(text.size() < 127);
    octets.push_back(static_cast<std::uint8_t>(text.size()));
    octets.insert(octets.end(), text.begin(), text.end());
  };
  for (const auto& [name, value] : fields) {
    octets.push_back(0);
    put(name);
    put(value);
  }
  return octets;
}

}  // namespace sotto::test
