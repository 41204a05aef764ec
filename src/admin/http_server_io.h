// Serves pages over HTTP/1.1 on a thread of its own, so that no client, however slow, and no page,
// however long it takes, is felt by a worker. A connection carries one request. Test:
// tests/unit/admin/http_server_test.cc.
#pragma once

#include <chrono>
#include <memory>

#include "admin/http_pages.h"
#include "transport/socket_io.h"

namespace sotto {

// A monitoring system, probes, a few people. More wait until one of these is done.
inline constexpr unsigned http_connections_max = 64;
// What of a request is read at all: its line and its header fields. Browsers send the cookies of
// every other service on the same host.
inline constexpr std::size_t http_request_octets_max = std::size_t{16} * 1'024;
// For how long a client may be silent.
inline constexpr std::chrono::seconds http_silence_max{5};

class HttpServer {
 public:
  // listener: bound and listening. pages are called on the server's thread, one at a time, until
  // it is destroyed. silence_max: for tests.
  HttpServer(UniqueFd listener, HttpPages pages,
             std::chrono::seconds silence_max = http_silence_max);
  // Stops: a page that is being made is finished, what is open is closed.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // False if there is no memory or no thread to be had.
  bool start();

 private:
  struct Daemon;

  UniqueFd listener_;
  const HttpPages pages_;
  const std::chrono::seconds silence_max_;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace sotto
