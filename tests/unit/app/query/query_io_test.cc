#include "app/query/query_io.h"

#include <arpa/inet.h>
#include <functional>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "app/query/query_message.h"

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;
using std::chrono::milliseconds;

// Nothing here takes longer unless it hangs.
constexpr milliseconds patience{5'000};

Octets query() {
  QueryOptions options;
  options.qname = *name_from_text("www.example");
  return query_message(options, 0x1234, QueryServer::Transport::udp);
}

Octets response_to(Octets message) {
  message[2] |= 0x80U;
  return message;
}

Octets framed(const Octets& message) {
  Octets octets{static_cast<std::uint8_t>(message.size() >> 8U),
                static_cast<std::uint8_t>(message.size())};
  octets.insert(octets.end(), message.begin(), message.end());
  return octets;
}

// A server on loopback that runs a script once, in its own thread.
class Server {
 public:
  // script: gets the socket; a stream's has its connection accepted.
  Server(int type, std::function<void(int)> script) : socket_(::socket(AF_INET, type, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, any, length), 0);
    EXPECT_EQ(::getsockname(socket_, any, &length), 0);
    endpoint_ = {*IpAddress::parse("127.0.0.1"), ntohs(address.sin_port)};
    // Whoever waits for octets that never come is ended with the test.
    const timeval limit{patience.count() / 1'000, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (type == SOCK_STREAM) ::listen(socket_, 1);
    thread_ = std::thread([this, type, script = std::move(script)] {
      if (type == SOCK_DGRAM) return script(socket_);
      const int accepted = ::accept(socket_, nullptr, nullptr);
      script(accepted);
      ::close(accepted);
    });
  }
  ~Server() {
    thread_.join();
    ::close(socket_);
  }

  const SocketAddress& endpoint() const { return endpoint_; }

 private:
  int socket_;
  SocketAddress endpoint_;
  std::thread thread_;
};

void answer_datagrams(int socket, int skip, const std::vector<Octets>& answers) {
  sockaddr_storage peer{};
  Octets buffer(512);
  socklen_t length = sizeof peer;
  for (int i = 0; i <= skip; ++i) {
    length = sizeof peer;
    ::recvfrom(socket, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&peer),
               &length);
  }
  for (const Octets& answer : answers) {
    ::sendto(socket, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
  }
}

TEST(QueryIo, UdpIgnoresWhatDoesNotAnswer) {
  Octets other_id = response_to(query());
  other_id[0] ^= 1U;
  const Server server(SOCK_DGRAM, [&](int socket) {
    answer_datagrams(socket, 0, {{}, {1, 2, 3}, other_id, query(), response_to(query())});
  });
  const auto result = query_udp(server.endpoint(), query(), monotonic_now() + patience);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->message, response_to(query()));
  EXPECT_EQ(result->notes.size(), 4U);
}

TEST(QueryIo, UdpAsksAgainWhenAQueryIsLost) {
  const Server server(SOCK_DGRAM,
                      [](int socket) { answer_datagrams(socket, 1, {response_to(query())}); });
  const auto result = query_udp(server.endpoint(), query(), monotonic_now() + milliseconds{900});
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->notes, std::vector<std::string>{"no answer yet, asked again"});
}

TEST(QueryIo, UdpEndsAtTheDeadline) {
  const Server server(SOCK_DGRAM, [](int socket) { answer_datagrams(socket, 2, {}); });
  const auto result = query_udp(server.endpoint(), query(), monotonic_now() + milliseconds{90});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), "timed out after 3 tries");
}

TEST(QueryIo, TcpTakesAnswersInPieces) {
  const Server server(SOCK_STREAM, [](int socket) {
    Octets other = response_to(query());
    other[1] ^= 1U;
    Octets stream = framed(other);
    const Octets last = framed(response_to(query()));
    stream.insert(stream.end(), last.begin(), last.end());
    for (const std::uint8_t octet : stream) ::send(socket, &octet, 1, MSG_NOSIGNAL);
    Octets rest(512);
    ::recv(socket, rest.data(), rest.size(), 0);
  });
  const auto result = query_tcp(server.endpoint(), query(), monotonic_now() + patience);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->message, response_to(query()));
  EXPECT_EQ(result->notes.size(), 1U);
}

TEST(QueryIo, FailuresSayWhy) {
  const auto ask = [](const Server& server, milliseconds limit, bool tls) {
    const Instant deadline = monotonic_now() + limit;
    const auto result =
        tls ? query_tls({QueryServer::Transport::tls, server.endpoint(), "dns.example"}, "",
                        query(), deadline)
            : query_tcp(server.endpoint(), query(), deadline);
    return result ? std::string("an answer") : result.error();
  };
  const auto take_query = [](int socket) {
    Octets buffer(512);
    ::recv(socket, buffer.data(), buffer.size(), 0);
  };
  EXPECT_EQ(ask(Server(SOCK_STREAM, take_query), patience, false),
            "the server closed the connection without an answer");
  EXPECT_EQ(ask(Server(SOCK_STREAM,
                       [&](int socket) {
                         take_query(socket);
                         take_query(socket);
                       }),
                milliseconds{50}, false),
            "timed out");
  const std::string plain = ask(Server(SOCK_STREAM,
                                       [&](int socket) {
                                         take_query(socket);
                                         const Octets answer = framed(response_to(query()));
                                         ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
                                         take_query(socket);
                                       }),
                                patience, true);
  EXPECT_TRUE(plain.starts_with("TLS: ")) << plain;
}

TEST(QueryIo, RefusedConnectionsAreToldAtOnce) {
  SocketAddress closed;
  {
    const Server server(SOCK_DGRAM, [](int) {});
    closed = server.endpoint();
  }
  EXPECT_EQ(query_udp(closed, query(), monotonic_now() + patience).error(), "Connection refused");
  EXPECT_EQ(query_tcp(closed, query(), monotonic_now() + patience).error(), "Connection refused");
}

}  // namespace
}  // namespace sotto
