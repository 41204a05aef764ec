#include <array>
#include <gtest/gtest.h>
#include <optional>
#include <sys/socket.h>
#include <vector>

#include "admin/http_server_io.h"

namespace sotto {
namespace {

// Longer than a socket's buffers, so that it leaves in pieces.
constexpr std::size_t long_text_octets = 8'000'000;

class HttpServerTest : public testing::Test {
 protected:
  void start(std::chrono::seconds silence_max = http_silence_max) {
    auto listener = open_listener(SocketKind::stream, *SocketAddress::parse("127.0.0.1:0"), true);
    ASSERT_TRUE(listener.has_value());
    sockaddr_storage bound{};
    socklen_t octets = sizeof bound;
    ASSERT_EQ(::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&bound), &octets), 0);
    address_ = from_kernel(reinterpret_cast<const sockaddr*>(&bound));
    server_.emplace(
        std::move(*listener),
        HttpPages{{"/page", [] { return HttpAnswer{.text = "text\n"}; }},
                  {"/long", [] { return HttpAnswer{.text = std::string(long_text_octets, 'x')}; }},
                  {"/bad",
                   [] {
                     return HttpAnswer{.status = http_status::service_unavailable, .text = "why\n"};
                   }}},
        silence_max);
    ASSERT_TRUE(server_->start());
  }

  UniqueFd connect() const {
    UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const KernelAddress address = to_kernel(address_);
    EXPECT_EQ(::connect(fd.get(), address.data(), address.octets), 0);
    constexpr timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
  }

  static void send(const UniqueFd& fd, std::string_view text) {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  // All up to the end of the stream.
  static std::string receive(const UniqueFd& fd) {
    std::string text;
    std::array<char, 65'536> buffer{};
    while (true) {
      const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  std::string ask(const std::string& request_line) const {
    const UniqueFd fd = connect();
    send(fd, request_line + " HTTP/1.1\r\nHost: sotto\r\nConnection: close\r\n\r\n");
    return receive(fd);
  }

  SocketAddress address_;
  std::optional<HttpServer> server_;
};

bool has_line(const std::string& answer, std::string_view line) {
  return answer.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
}

TEST_F(HttpServerTest, ServesPages) {
  start();
  const std::string answer = ask("GET /page");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\ntext\n")) << answer;
  EXPECT_TRUE(has_line(answer, "Content-Type: text/plain; charset=utf-8")) << answer;
  EXPECT_TRUE(has_line(answer, "Cache-Control: no-store")) << answer;
  EXPECT_TRUE(has_line(answer, "Content-Length: 5")) << answer;
  EXPECT_TRUE(ask("GET /page?refresh=1").starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(ask("GET /bad").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_TRUE(ask("GET /none").starts_with("HTTP/1.1 404 Not Found\r\n"));
  const std::string longest = ask("GET /long");
  EXPECT_TRUE(longest.ends_with("\r\n\r\n" + std::string(long_text_octets, 'x')));
}

TEST_F(HttpServerTest, HeadIsTheSameWithoutTheText) {
  start();
  const std::string answer = ask("HEAD /page");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(has_line(answer, "Content-Length: 5")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, OtherMethodsAreToldWhichAreRight) {
  start();
  const std::string answer = ask("POST /page");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << answer;
  EXPECT_TRUE(has_line(answer, "Allow: GET, HEAD")) << answer;
}

TEST_F(HttpServerTest, ContentIsNotRead) {
  start();
  const UniqueFd fd = connect();
  send(fd, "POST /page HTTP/1.1\r\nHost: sotto\r\nContent-Length: 1000000000\r\n\r\nbegin");
  EXPECT_TRUE(receive(fd).starts_with("HTTP/1.1 405 ")) << "answered and closed at once";
}

TEST_F(HttpServerTest, AConnectionIsClosedAfterItsAnswer) {
  start();
  const UniqueFd fd = connect();
  send(fd, "GET /page HTTP/1.1\r\nHost: sotto\r\n\r\n");
  const std::string answer = receive(fd);
  EXPECT_TRUE(has_line(answer, "Connection: close")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\ntext\n")) << answer;
}

TEST_F(HttpServerTest, RequestsThatNeverEndAreNotKept) {
  start();
  const UniqueFd fd = connect();
  send(fd, "GET /page HTTP/1.1\r\n");
  const std::string field = "X: " + std::string(200, 'x') + "\r\n";
  std::size_t sent = 0;
  while (::send(fd.get(), field.data(), field.size(), MSG_NOSIGNAL) > 0) {
    sent += field.size();
    ASSERT_LT(sent, std::size_t{64} << 20U) << "it reads on and on";
  }
}

TEST_F(HttpServerTest, WhatIsNoRequestIsRefused) {
  start();
  for (const char* text : {"\x16\x03\x01\x02\r\n\r\n", "nonsense\r\n\r\n"}) {
    const UniqueFd fd = connect();
    send(fd, text);
    const std::string answer = receive(fd);
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 4")) << answer;
  }
  EXPECT_TRUE(ask("GET /page").ends_with("text\n"));
}

TEST_F(HttpServerTest, SilentClientsHoldUpNobody) {
  start(std::chrono::seconds{1});
  std::vector<UniqueFd> silent;
  for (unsigned i = 0; i < http_connections_max; ++i) {
    silent.push_back(connect());
    send(silent.back(), "GET /pa");
  }
  // Waits in the queue until the first of them has been given up.
  EXPECT_TRUE(ask("GET /page").ends_with("text\n"));
}

TEST_F(HttpServerTest, AStopClosesWhatIsOpen) {
  start();
  const UniqueFd fd = connect();
  send(fd, "GET /pa");
  EXPECT_TRUE(ask("GET /page").ends_with("text\n"));
  server_.reset();
  EXPECT_EQ(receive(fd), "");
  EXPECT_TRUE(open_listener(SocketKind::stream, address_, true).has_value()) << "the port is free";
}

}  // namespace
}  // namespace sotto
