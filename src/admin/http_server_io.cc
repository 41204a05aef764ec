#include "admin/http_server_io.h"

#include <microhttpd.h>
#include <utility>

#include "base/last_words.h"

namespace sotto {

struct HttpServer::Daemon {
  explicit Daemon(MHD_Daemon* running) : handle(running) {}
  ~Daemon() { MHD_stop_daemon(handle); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  MHD_Daemon* handle;
};

namespace {

MHD_Result send_answer(MHD_Connection* connection, const HttpAnswer& answer) {
  // Copied: the answer is gone when the client has read the last of it.
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.text.size(), const_cast<char*>(answer.text.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;  // no memory: the connection closes
  static_cast<void>(MHD_add_response_header(response, "Content-Type", answer.type.c_str()));
  static_cast<void>(MHD_add_response_header(response, "Cache-Control", "no-store"));
  if (answer.status == http_status::method_not_allowed) {
    static_cast<void>(
        MHD_add_response_header(response, "Allow", std::string(http_methods).c_str()));
  }
  const MHD_Result result = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return result;
}

// Called when the header fields have been read. As the answer is given at once, no content is read,
// and the connection closes.
MHD_Result on_request(void* pages, MHD_Connection* connection, const char* path, const char* method,
                      const char* /*version*/, const char* /*content*/,
                      std::size_t* /*content_octets*/, void** /*request*/) {
  return send_answer(connection, answer_http(*static_cast<const HttpPages*>(pages), method, path));
}

}  // namespace

HttpServer::HttpServer(UniqueFd listener, HttpPages pages, std::chrono::seconds silence_max)
    : listener_(std::move(listener)), pages_(std::move(pages)), silence_max_(silence_max) {}

HttpServer::~HttpServer() = default;

bool HttpServer::start() {
  MHD_Daemon* const running = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr,
      guarded<&on_request, MHD_NO>, const_cast<HttpPages*>(&pages_), MHD_OPTION_LISTEN_SOCKET,
      listener_.get(), MHD_OPTION_CONNECTION_LIMIT, http_connections_max,
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(silence_max_.count()),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, http_request_octets_max, MHD_OPTION_END);
  if (running == nullptr) return false;
  listener_.release();  // the daemon closes it
  daemon_ = std::make_unique<Daemon>(running);
  return true;
}

}  // namespace sotto
