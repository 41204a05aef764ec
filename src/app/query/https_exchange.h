// One DNS query over HTTP/2 as a client, over memory: octets in, octets out, on nghttp2. No I/O.
// RFC 8484 §4. Test: tests/unit/app/query/https_exchange_test.cc against DohStream.
#pragma once

#include <cstdint>
#include <nghttp2/nghttp2.h>
#include <span>
#include <string>
#include <vector>

namespace sotto {

class HttpsExchange {
 public:
  struct Question {
    std::string authority;  // of the server's URL
    std::string path;
    bool get = false;                // else POST
    std::vector<std::uint8_t> body;  // the DNS query
  };
  explicit HttpsExchange(Question question);
  ~HttpsExchange();
  HttpsExchange(const HttpsExchange&) = delete;
  HttpsExchange& operator=(const HttpsExchange&) = delete;

  // What is to leave now.
  std::vector<std::uint8_t> output();
  // Octets of the server, in order, cut anywhere.
  void receive(std::span<const std::uint8_t> octets);

  // Has the response come as a whole, or is none to be expected any more?
  bool done() const { return done_; }
  // Why there is no DNS message, in one line; empty if there is one. Once done().
  std::string fault() const;
  const std::vector<std::uint8_t>& message() const { return body_; }
  // "max-age=300"; empty if the server did not say.
  const std::string& cache_control() const { return cache_control_; }

 private:
  struct Callbacks;  // what nghttp2 calls
  void ask();
  void on_field(std::string_view name, std::string_view value);
  void on_body(std::span<const std::uint8_t> octets);
  void on_closed(std::uint32_t error);

  Question question_;
  std::size_t sent_ = 0;  // of the body
  nghttp2_session* session_ = nullptr;
  std::vector<std::uint8_t> start_;  // of what the server says, while it may not be HTTP/2
  std::string status_;
  std::string content_type_;
  std::string cache_control_;
  std::vector<std::uint8_t> body_;
  std::string broken_;  // why the connection is of no use
  bool done_ = false;
};

}  // namespace sotto
