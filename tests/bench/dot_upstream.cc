// The upstream of the load benchmark: DNS over TLS that answers every name with one address, as
// fast as one thread can, so that what is measured is the server under test and not what it asks.
// Each answer is a TLS record of its own, as real servers send them; answers to what arrived
// together leave in one system call. SIGUSR1 makes it print how many queries came, and how many of
// them for names that begin with "hot": what a cache in front of it let through. Run by
// tests/bench/upstream.py and tests/integration/test_stalling_upstream.py:
// dot_upstream PORT CERTIFICATE KEY [stalls].
//
// With "stalls" it behaves as nsd and knotd do: of a record of TLS only the first query is
// answered, the others when more records come, one for each; and each answer is sent by itself with
// Nagle's algorithm on, so that all but the first wait for an acknowledgement.
#include <array>
#include <cassert>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string_view>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "dns/constants.h"
#include "dns/framing.h"
#include "dns/name.h"
#include "transport/socket_io.h"
#include "transport/tls_engine.h"

namespace {

using namespace sotto;

constexpr std::size_t read_at_once = 32'768;

struct Counts {
  std::uint64_t queries = 0;
  std::uint64_t hot = 0;

  void add(std::span<const std::uint8_t> query) {
    constexpr std::string_view mark = "hot";
    const auto label = query.subspan(header_octets + 1);
    ++queries;
    if (label.size() >= mark.size() && std::memcmp(label.data(), mark.data(), mark.size()) == 0) {
      ++hot;
    }
  }
};

// The query becomes its own answer: header and question, then one A record. Its TTL is a day, so
// that nothing a cache holds expires while it is measured.
std::size_t write_answer(std::span<const std::uint8_t> query, std::span<std::uint8_t> out) {
  const std::size_t name = plain_name_octets(query.subspan(header_octets));
  const std::size_t question_end = header_octets + name + 4;
  if (name == 0 || question_end > query.size()) return 0;
  std::copy_n(query.begin(), question_end, out.begin() + stream_length_octets);
  std::uint8_t* message = out.data() + stream_length_octets;
  store16(message + 2, 0x8180);  // QR, RD, RA
  store16(message + 6, 1);       // one answer
  store16(message + 10, 0);
  constexpr std::array<std::uint8_t, 16> record{0xC0, 12,   0, 1, 0,   1, 0, 1,
                                                0x51, 0x80, 0, 4, 192, 0, 2, 1};
  std::copy(record.begin(), record.end(), message + question_end);
  store16(out.data(), static_cast<std::uint16_t>(question_end + record.size()));
  return stream_length_octets + question_end + record.size();
}

// Counts the records of TLS that are protected (RFC 8446 §5.2) in a stream of ciphertext.
class RecordCount {
 public:
  void add(std::span<const std::uint8_t> ciphertext) {
    for (const std::uint8_t octet : ciphertext) {
      if (left_ > 0) {
        --left_;
      } else {
        header_[at_++] = octet;
        if (at_ < header_.size()) continue;
        at_ = 0;
        left_ = load16(&header_[3]);
      }
      if (left_ == 0 && at_ == 0 && header_[0] == application_data) ++count_;
    }
  }
  std::size_t count() const { return count_; }

 private:
  static constexpr std::uint8_t application_data = 23;
  std::array<std::uint8_t, 5> header_{};
  std::size_t at_ = 0;
  std::size_t left_ = 0;
  std::size_t count_ = 0;
};

class Client {
 public:
  // counts outlives the client.
  Client(UniqueFd fd, const TlsServerSettings& settings, Counts& counts, bool stalls)
      : counts_(counts),
        fd_(std::move(fd)),
        engine_(TlsEngine::server(settings, {"dot"})),
        stalls_(stalls) {}

  int fd() const { return fd_.get(); }

  // False when the connection is over.
  bool serve() {
    const auto space = engine_->input_space(read_at_once);
    const ssize_t count = ::recv(fd_.get(), space.data(), space.size(), 0);
    if (count <= 0) return false;
    if (stalls_) records_.add(space.first(static_cast<std::size_t>(count)));
    engine_->received(static_cast<std::size_t>(count));
    if (engine_->state() == TlsEngine::State::handshaking) engine_->handshake();
    while (engine_->state() == TlsEngine::State::ready) {
      const std::size_t plain = engine_->read(framer_.space(read_at_once));
      if (plain == 0) break;
      framer_.filled(plain);
      if (!answer_all()) return false;
    }
    return send_all() && engine_->state() <= TlsEngine::State::ready;
  }

 private:
  bool answer_all() {
    // The client's Finished is a record, too.
    while (!stalls_ || answered_ + 1 < records_.count()) {
      const auto query = framer_.next();
      if (!query) break;
      answer(*query);
      ++answered_;
      if (stalls_ && !send_all()) return false;
    }
    return true;
  }

  void answer(std::span<const std::uint8_t> query) {
    std::array<std::uint8_t, 512> out{};
    if (query.size() <= header_octets) return;
    counts_.add(query);
    if (const std::size_t octets = write_answer(query, out)) engine_->write({out.data(), octets});
  }

  bool send_all() {
    while (!engine_->output().empty()) {
      const auto output = engine_->output();
      const ssize_t count = ::send(fd_.get(), output.data(), output.size(), MSG_NOSIGNAL);
      if (count < 0) return false;
      engine_->sent(static_cast<std::size_t>(count));
    }
    return true;
  }

  Counts& counts_;
  UniqueFd fd_;
  std::unique_ptr<TlsEngine> engine_;
  StreamFramer framer_;
  const bool stalls_;
  RecordCount records_;
  std::size_t answered_ = 0;
};

// SIGUSR1 as something to poll.
UniqueFd open_signal() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  if (sigprocmask(SIG_BLOCK, &wanted, nullptr) != 0) return {};
  return UniqueFd{signalfd(-1, &wanted, SFD_CLOEXEC)};
}

void print(int signals, const Counts& counts) {
  signalfd_siginfo signal{};
  [[maybe_unused]] const ssize_t taken = ::read(signals, &signal, sizeof signal);
  assert(taken == sizeof signal);
  std::printf("queries %llu hot %llu\n", static_cast<unsigned long long>(counts.queries),
              static_cast<unsigned long long>(counts.hot));
  std::fflush(stdout);
}

void serve_forever(int listener, int signals, const TlsServerSettings& settings, bool stalls) {
  Counts counts;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<pollfd> watched;
  while (true) {
    watched.assign({{listener, POLLIN, 0}, {signals, POLLIN, 0}});
    const std::size_t first_client = watched.size();
    for (const auto& client : clients) watched.push_back({client->fd(), POLLIN, 0});
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    for (std::size_t at = clients.size(); at-- > 0;) {
      if (watched[first_client + at].revents != 0 && !clients[at]->serve()) {
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
    if (watched[0].revents != 0) {
      UniqueFd fd{::accept(listener, nullptr, nullptr)};
      const int no_delay = stalls ? 0 : 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
      if (fd) clients.push_back(std::make_unique<Client>(std::move(fd), settings, counts, stalls));
    }
    if (watched[1].revents != 0) print(signals, counts);
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::uint16_t port = 0;
  const bool stalls = count == 5 && std::string_view(arguments[4]) == "stalls";
  if (count != 4 && !stalls) return 2;
  const std::string_view text = arguments[1];
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc{}) return 2;
  const UniqueFd signals = open_signal();
  if (!signals) {
    std::perror("dot_upstream: signalfd");
    return 1;
  }
  const auto credentials =
      TlsServerCredentials::load({{arguments[2], arguments[3]}}, TlsTicketKey::random());
  if (!credentials) {
    std::fprintf(stderr, "dot_upstream: %s: %s\n", credentials.error().file.c_str(),
                 credentials.error().what.c_str());
    return 1;
  }
  const auto listener = open_listener(
      SocketKind::stream, {IpAddress::v4(std::array<std::uint8_t, 4>{127, 0, 0, 1}), port}, true);
  if (!listener) {
    std::fprintf(stderr, "dot_upstream: %s\n", listener.error().what.c_str());
    return 1;
  }
  serve_forever(
      listener->get(), signals.get(),
      {.credentials = *credentials, .client_trust = nullptr, .client_certificate_required = true},
      stalls);
}
