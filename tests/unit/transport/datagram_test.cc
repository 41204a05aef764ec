// Batches of datagrams over loopback.
#include <cstring>
#include <gtest/gtest.h>
#include <poll.h>
#include <set>
#include <string>

#include "transport/datagram_io.h"

namespace sotto {
namespace {

struct Client {
  explicit Client(const SocketAddress& server) : fd(::socket(family(server), SOCK_DGRAM, 0)) {
    const KernelAddress address = to_kernel(server);
    EXPECT_EQ(::connect(fd.get(), address.data(), address.octets), 0);
  }
  static int family(const SocketAddress& server) { return server.ip.is_v4() ? AF_INET : AF_INET6; }
  void send(const std::string& text) const {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  // Empty when nothing comes. A connected socket only takes what comes from the address it asked.
  std::string receive() const {
    pollfd watched{fd.get(), POLLIN, 0};
    if (::poll(&watched, 1, 5'000) != 1) return {};
    std::string text(4'096, '\0');
    const ssize_t count = ::recv(fd.get(), text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  UniqueFd fd;
};

class Server {
 public:
  explicit Server(const std::string& address)
      : Server(address, *open_listener(SocketKind::datagram, *SocketAddress::parse(address), true),
               datagram_query_octets_max) {}
  Server(const std::string& address, UniqueFd fd, std::size_t octets_max)
      : fd_(std::move(fd)),
        wildcard_(SocketAddress::parse(address)->ip.is_unspecified()),
        socket_(fd_.get(), wildcard_, octets_max) {
    if (wildcard_) {
      EXPECT_TRUE(request_asked_address(fd_.get(), SocketAddress::parse(address)->ip.is_v4()));
    }
  }

  std::uint16_t port() const {
    KernelAddress bound;
    bound.octets = sizeof bound.storage;
    ::getsockname(fd_.get(), bound.data(), &bound.octets);
    return from_kernel(bound.data()).port;
  }
  // Sends everything back that has come; how many there were.
  std::size_t echo() {
    pollfd watched{fd_.get(), POLLIN, 0};
    ::poll(&watched, 1, 5'000);
    const std::size_t count = socket_.receive_batch();
    for (std::size_t at = 0; at < count; ++at) {
      const auto octets = socket_.octets(at);
      std::memcpy(socket_.response_space().data(), octets.data(), octets.size());
      socket_.response_written(socket_.path(at), octets.size());
    }
    socket_.send_batch();
    return count;
  }
  DatagramSocket& socket() { return socket_; }

 private:
  UniqueFd fd_;
  bool wildcard_;
  DatagramSocket socket_;
};

TEST(DatagramSocket, ReceivesAndSendsAFullBatchAndMore) {
  Server server("127.0.0.1:0");
  const Client client({*IpAddress::parse("127.0.0.1"), server.port()});
  std::set<std::string> sent;
  for (int query = 0; query < 100; ++query) {
    sent.insert("query " + std::to_string(query));
    client.send("query " + std::to_string(query));
  }
  EXPECT_EQ(server.echo(), datagram_batch_max);
  EXPECT_EQ(server.echo(), 100 - datagram_batch_max);
  std::set<std::string> received;
  for (int query = 0; query < 100; ++query) received.insert(client.receive());
  EXPECT_EQ(received, sent);
  EXPECT_EQ(server.socket().unsent().value(), 0U);
}

TEST(DatagramSocket, AnswersFromTheAddressThatWasAsked) {
  struct Case {
    const char* bind;
    const char* ask;
  };
  for (const Case& row :
       {Case{"0.0.0.0:0", "127.0.0.1"}, Case{"0.0.0.0:0", "127.0.0.77"}, Case{"[::]:0", "::1"}}) {
    Server server(row.bind);
    const Client client({*IpAddress::parse(row.ask), server.port()});
    client.send("to " + std::string(row.ask));
    EXPECT_EQ(server.echo(), 1U);
    EXPECT_EQ(client.receive(), "to " + std::string(row.ask)) << row.bind;
  }
}

TEST(DatagramSocket, AFullSendingBatchLeavesByItself) {
  Server server("127.0.0.1:0");
  const Client client({*IpAddress::parse("127.0.0.1"), server.port()});
  client.send("once");
  pollfd watched{client.fd.get(), POLLIN, 0};
  ASSERT_EQ(server.echo(), 1U);
  ASSERT_EQ(client.receive(), "once");
  const DatagramPath path = server.socket().path(0);
  for (std::size_t at = 0; at <= datagram_batch_max; ++at) {
    server.socket().response_space()[0] = 'x';
    server.socket().response_written(path, 1);
  }
  for (std::size_t at = 0; at < datagram_batch_max; ++at) EXPECT_EQ(client.receive(), "x");
  EXPECT_EQ(::poll(&watched, 1, 0), 0) << "the last one waits for send_batch()";
  server.socket().send_batch();
  EXPECT_EQ(client.receive(), "x");
}

TEST(DatagramSocket, WhatIsLongerThanAQueryIsCut) {
  Server server("127.0.0.1:0");
  const Client client({*IpAddress::parse("127.0.0.1"), server.port()});
  client.send(std::string(datagram_query_octets_max + 500, 'q'));
  pollfd watched{client.fd.get(), POLLIN, 0};
  ::poll(&watched, 1, 0);
  ASSERT_EQ(server.socket().receive_batch(), 1U);
  EXPECT_EQ(server.socket().octets(0).size(), datagram_query_octets_max);
}

TEST(DatagramSocket, HasAsMuchRoomAsItIsTold) {
  constexpr std::size_t octets_max = 3'072;
  Server server("127.0.0.1:0",
                *open_listener(SocketKind::datagram, *SocketAddress::parse("127.0.0.1:0"), true),
                octets_max);
  const Client client({*IpAddress::parse("127.0.0.1"), server.port()});
  for (std::size_t at = 0; at < datagram_batch_max; ++at) {
    client.send(std::string(octets_max + at % 2, static_cast<char>('!' + at)));
  }
  ASSERT_EQ(server.socket().receive_batch(), datagram_batch_max);
  for (std::size_t at = 0; at < datagram_batch_max; ++at) {
    const auto octets = server.socket().octets(at);
    EXPECT_EQ(std::string(octets.begin(), octets.end()),
              std::string(octets_max, static_cast<char>('!' + at)));
  }
}

// Such as a service manager may pass on: bound to [::] for both families.
TEST(DatagramSocket, ASocketForBothFamiliesShowsIpv4AsSuch) {
  UniqueFd both{::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0)};
  const int off = 0;
  ASSERT_EQ(::setsockopt(both.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
  const KernelAddress any = to_kernel(*SocketAddress::parse("[::]:0"));
  ASSERT_EQ(::bind(both.get(), any.data(), any.octets), 0);
  Server server("[::]:0", std::move(both), datagram_query_octets_max);
  const Client v4({*IpAddress::parse("127.0.0.77"), server.port()});
  v4.send("v4");
  EXPECT_EQ(server.echo(), 1U);
  EXPECT_EQ(v4.receive(), "v4") << "from the address that was asked";
  const auto address = server.socket().path(0).address();
  EXPECT_EQ(std::vector<std::uint8_t>(address.begin(), address.end()),
            (std::vector<std::uint8_t>{127, 0, 0, 1}));
  const Client v6({*IpAddress::parse("::1"), server.port()});
  v6.send("v6");
  EXPECT_EQ(server.echo(), 1U);
  EXPECT_EQ(v6.receive(), "v6");
  EXPECT_EQ(server.socket().path(0).address().size(), 16U);
}

TEST(OpenListener, ASecondProcessCannotShareThePortButASecondWorkerCan) {
  const auto address = *SocketAddress::parse("127.0.0.1:0");
  for (const SocketKind kind : {SocketKind::datagram, SocketKind::stream}) {
    const auto first = open_listener(kind, address, true);
    ASSERT_TRUE(first);
    KernelAddress bound;
    bound.octets = sizeof bound.storage;
    ::getsockname(first->get(), bound.data(), &bound.octets);
    const SocketAddress taken = from_kernel(bound.data());
    const auto stranger = open_listener(kind, taken, true);
    ASSERT_FALSE(stranger);
    EXPECT_EQ(stranger.error().code, EADDRINUSE);
    EXPECT_EQ(stranger.error().what, "listen on " + taken.text() + ": Address already in use");
    EXPECT_TRUE(open_listener(kind, taken, false));
  }
}

}  // namespace
}  // namespace sotto
