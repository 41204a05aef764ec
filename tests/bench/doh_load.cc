// The load of the DoH scenarios: asks by GET over some HTTP/2 connections, each request in a TLS
// record and a system call of its own, as dnsperf does it. dnsperf 2.10 itself loses all but the
// last of the responses that arrive in one record. The report has dnsperf's words. Certificates
// are not looked at. Run by tests/bench/measure.py:
// doh_load PORT CONNECTIONS OUTSTANDING ROUNDS NAMES.
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <gnutls/gnutls.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int silence_milliseconds = 5'000;   // then what is not answered is lost
constexpr std::size_t read_at_once = 65'536;  // of ciphertext, and of plaintext
constexpr std::size_t header_octets = 12;     // RFC 1035 §4.1.1
constexpr const char* authority = "localhost";

struct Arguments {
  std::uint16_t port = 0;
  std::size_t connections = 0;
  std::size_t outstanding = 0;
  std::size_t rounds = 0;
  const char* names = "";
};

// What is asked, how far we are, and how it went.
struct Load {
  std::vector<std::string> paths;
  std::size_t total = 0;
  std::size_t sent = 0;
  std::size_t answered = 0;
  std::size_t good = 0;    // … with NOERROR
  std::size_t failed = 0;  // an HTTP status that is not 200, or a stream that broke
  Seconds latency_sum{0};
  Seconds latency_max{0};

  bool complete() const { return answered + failed == total; }
  const std::string& next_path() { return paths[sent++ % paths.size()]; }
};

struct Stream {
  Clock::time_point begun;
  bool found = false;  // status 200
  std::array<std::uint8_t, header_octets> header{};
  std::size_t octets = 0;
};

std::string base64url(const std::vector<std::uint8_t>& octets) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned bits = 0;
  unsigned held = 0;
  for (const std::uint8_t octet : octets) {
    bits = bits << 8U | octet;
    for (held += 8; held >= 6; held -= 6) text += digits[bits >> (held - 6) & 63U];
  }
  if (held > 0) text += digits[bits << (6 - held) & 63U];
  return text;
}

// The query of RFC 8484 §4.1: ID 0, RD, type A.
std::string path_of(std::string_view name) {
  std::vector<std::uint8_t> query{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    query.push_back(static_cast<std::uint8_t>(label.size()));
    query.insert(query.end(), label.begin(), label.end());
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  query.insert(query.end(), {0, 0, 1, 0, 1});
  return "/dns-query?dns=" + base64url(query);
}

class Client {
 public:
  Client(Load& load, int fd, gnutls_certificate_credentials_t credentials) : load_(load), fd_(fd) {
    gnutls_init(&tls_, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(tls_);
    gnutls_credentials_set(tls_, GNUTLS_CRD_CERTIFICATE, credentials);
    std::array<unsigned char, 2> protocol{'h', '2'};
    const gnutls_datum_t offered{protocol.data(), protocol.size()};
    gnutls_alpn_set_protocols(tls_, &offered, 1, GNUTLS_ALPN_MANDATORY);
    gnutls_transport_set_int2(tls_, fd, fd);
    gnutls_transport_set_ptr2(tls_, this, this);
    gnutls_transport_set_pull_function(tls_, pull);
    gnutls_transport_set_push_function(tls_, push);
  }
  ~Client() {
    nghttp2_session_del(http_);
    gnutls_deinit(tls_);
    ::close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int fd() const { return fd_; }

  // While the socket blocks; afterwards it does not.
  bool begin() {
    int result = 0;
    do {
      result = gnutls_handshake(tls_);
    } while (result < 0 && gnutls_error_is_fatal(result) == 0);
    if (result < 0 || ::fcntl(fd_, F_SETFL, O_NONBLOCK) < 0) return false;
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    const bool made = nghttp2_session_client_new(&http_, callbacks, this) == 0;
    nghttp2_session_callbacks_del(callbacks);
    return made && nghttp2_submit_settings(http_, NGHTTP2_FLAG_NONE, nullptr, 0) == 0 && send();
  }

  // One request more.
  bool ask() {
    const std::string& path = load_.next_path();
    const std::array<nghttp2_nv, 5> fields{field(":method", "GET"), field(":scheme", "https"),
                                           field(":authority", authority), field(":path", path),
                                           field("accept", "application/dns-message")};
    const std::int32_t id =
        nghttp2_submit_request(http_, nullptr, fields.data(), fields.size(), nullptr, nullptr);
    if (id < 0) return false;
    streams_[id].begun = Clock::now();
    return send();
  }

  // Reads what there is, asks as much again as was answered; false when the connection is broken.
  bool serve() {
    for (;;) {
      const ssize_t count = gnutls_record_recv(tls_, plaintext_.data(), plaintext_.size());
      // GnuTLS says so after a ticket, too.
      if (count == GNUTLS_E_AGAIN && taken_ == held_) break;
      if (count < 0 && gnutls_error_is_fatal(static_cast<int>(count)) == 0) continue;
      if (count <= 0) return false;
      const auto octets = static_cast<std::size_t>(count);
      if (nghttp2_session_mem_recv(http_, plaintext_.data(), octets) != count) return false;
    }
    while (room_ > 0 && load_.sent < load_.total) {
      --room_;
      if (!ask()) return false;
    }
    return send();
  }

 private:
  static nghttp2_nv field(std::string_view name, std::string_view value) {
    // nghttp2 copies both; it just does not say so in its type.
    auto octets = [](std::string_view text) {
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }

  bool send() {
    const std::uint8_t* frame = nullptr;
    for (;;) {
      const ssize_t octets = nghttp2_session_mem_send(http_, &frame);
      if (octets <= 0) return octets == 0;
      if (gnutls_record_send(tls_, frame, static_cast<std::size_t>(octets)) != octets) return false;
    }
  }

  static Client& of(void* data) { return *static_cast<Client*>(data); }

  // GnuTLS would ask the kernel twice for each record.
  static ssize_t pull(gnutls_transport_ptr_t data, void* into, std::size_t octets_max) {
    Client& self = of(data);
    if (self.taken_ == self.held_) {
      const ssize_t count = ::recv(self.fd_, self.ciphertext_.data(), self.ciphertext_.size(), 0);
      if (count <= 0) {
        gnutls_transport_set_errno(self.tls_, errno);
        return count;
      }
      self.taken_ = 0;
      self.held_ = static_cast<std::size_t>(count);
    }
    const std::size_t octets = std::min(octets_max, self.held_ - self.taken_);
    std::memcpy(into, self.ciphertext_.data() + self.taken_, octets);
    self.taken_ += octets;
    return static_cast<ssize_t>(octets);
  }

  // Waits for room: responses are few and small, so the server is not waiting for us.
  static ssize_t push(gnutls_transport_ptr_t data, const void* octets, std::size_t count) {
    for (;;) {
      const ssize_t sent = ::send(of(data).fd_, octets, count, MSG_NOSIGNAL);
      if (sent >= 0 || errno != EAGAIN) return sent;
      pollfd writable{of(data).fd_, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    }
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_octets, const std::uint8_t* value, std::size_t value_octets,
                       std::uint8_t, void* data) {
    const auto is = [](const std::uint8_t* octets, std::size_t count, std::string_view text) {
      return count == text.size() && std::memcmp(octets, text.data(), count) == 0;
    };
    if (is(name, name_octets, ":status")) {
      of(data).streams_[frame->hd.stream_id].found = is(value, value_octets, "200");
    }
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* octets,
                     std::size_t count, void* data) {
    Stream& stream = of(data).streams_[id];
    if (stream.octets < header_octets) {
      const std::size_t wanted = std::min(count, header_octets - stream.octets);
      std::memcpy(stream.header.data() + stream.octets, octets, wanted);
    }
    stream.octets += count;
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* data) {
    Client& self = of(data);
    const auto known = self.streams_.find(id);
    if (known == self.streams_.end()) return 0;
    const Stream& stream = known->second;
    if (error == 0 && stream.found && stream.octets >= header_octets) {
      const Seconds latency = Clock::now() - stream.begun;
      ++self.load_.answered;
      if ((stream.header[3] & 0xFU) == 0) ++self.load_.good;
      self.load_.latency_sum += latency;
      self.load_.latency_max = std::max(self.load_.latency_max, latency);
    } else {
      ++self.load_.failed;
    }
    self.streams_.erase(known);
    ++self.room_;
    return 0;
  }

  Load& load_;
  int fd_;
  gnutls_session_t tls_ = nullptr;
  nghttp2_session* http_ = nullptr;
  std::unordered_map<std::int32_t, Stream> streams_;
  std::size_t room_ = 0;  // for more requests
  std::array<std::uint8_t, read_at_once> ciphertext_{};
  std::size_t held_ = 0;  // of ciphertext_
  std::size_t taken_ = 0;
  std::array<std::uint8_t, read_at_once> plaintext_{};
};

int open_connection(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof address);
  std::memcpy(&generic, &address, sizeof address);
  if (::connect(fd, &generic, sizeof generic) == 0) return fd;
  ::close(fd);
  return -1;
}

// False when a connection broke.
bool run(Load& load, std::vector<std::unique_ptr<Client>>& clients, std::size_t outstanding) {
  for (std::size_t begun = 0; begun < std::min(outstanding, load.total); ++begun) {
    if (!clients[begun % clients.size()]->ask()) return false;
  }
  std::vector<pollfd> watched;
  watched.reserve(clients.size());
  for (const auto& client : clients) watched.push_back({client->fd(), POLLIN, 0});
  while (!load.complete() && ::poll(watched.data(), watched.size(), silence_milliseconds) > 0) {
    for (std::size_t at = 0; at < clients.size(); ++at) {
      if (watched[at].revents != 0 && !clients[at]->serve()) return false;
    }
  }
  return true;
}

void report(const Load& load, Seconds time) {
  std::printf("Queries sent:  %zu\nQueries completed:  %zu\nQueries lost:  %zu\n", load.sent,
              load.answered + load.failed, load.sent - load.answered - load.failed);
  std::printf("Response codes:  NOERROR %zu\nRun time (s):  %.6f\n", load.good, time.count());
  const double mean =
      load.answered == 0 ? 0 : load.latency_sum.count() / static_cast<double>(load.answered);
  std::printf("Average Latency (s):  %.6f (max %.6f)\n", mean, load.latency_max.count());
}

template <typename Number>
bool read_number(const char* argument, Number& number) {
  const std::string_view text = argument;
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{} &&
         number > 0;
}

bool read_arguments(int count, char** given, Arguments& arguments) {
  if (count != 6) return false;
  arguments.names = given[5];
  return read_number(given[1], arguments.port) && read_number(given[2], arguments.connections) &&
         read_number(given[3], arguments.outstanding) && read_number(given[4], arguments.rounds);
}

}  // namespace

int main(int count, char** given) {
  Arguments arguments;
  if (!read_arguments(count, given, arguments)) {
    std::fputs("usage: doh_load PORT CONNECTIONS OUTSTANDING ROUNDS NAMES\n", stderr);
    return 2;
  }
  Load load;
  std::ifstream names{arguments.names};
  for (std::string name, type; names >> name >> type;) load.paths.push_back(path_of(name));
  load.total = load.paths.size() * arguments.rounds;
  gnutls_certificate_credentials_t credentials = nullptr;
  gnutls_certificate_allocate_credentials(&credentials);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t opened = 0; opened < arguments.connections; ++opened) {
    const int fd = open_connection(arguments.port);
    if (fd < 0) {
      std::perror("doh_load: connect");
      return 1;
    }
    clients.push_back(std::make_unique<Client>(load, fd, credentials));
    if (!clients.back()->begin()) {
      std::fputs("doh_load: no HTTP/2 over TLS there\n", stderr);
      return 1;
    }
  }
  const auto begin = Clock::now();
  const bool well = run(load, clients, arguments.outstanding);
  report(load, Clock::now() - begin);
  if (!well) std::fputs("doh_load: a connection broke\n", stderr);
  clients.clear();
  gnutls_certificate_free_credentials(credentials);
  return well ? 0 : 1;
}
