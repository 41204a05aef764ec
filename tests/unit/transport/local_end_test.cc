// Where connections leave from, over loopback.
#include <cerrno>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "transport/socket_io.h"

namespace sotto {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

const SocketAddress nobody{ip("127.0.0.1"), 9};

int option(const UniqueFd& fd, int level, int name) {
  int value = -1;
  socklen_t octets = sizeof value;
  EXPECT_EQ(::getsockopt(fd.get(), level, name, &value, &octets), 0);
  return value;
}

TEST(LocalEnd, TheSourceIsWhereConnectionsLeaveFrom) {
  EXPECT_EQ(local_address_towards(nobody), "127.0.0.1");
  EXPECT_EQ(local_address_towards(nobody, {.source = ip("127.0.0.2")}), "127.0.0.2");
  EXPECT_EQ(local_address_towards({ip("::1"), 9}, {.source = ip("::1")}), "::1");
  const auto listener = open_listener(SocketKind::stream, {ip("127.0.0.1"), 0}, true);
  ASSERT_TRUE(listener);
  KernelAddress bound;
  bound.octets = sizeof bound.storage;
  ASSERT_EQ(::getsockname(listener->get(), bound.data(), &bound.octets), 0);
  const auto fd = begin_connect(SocketKind::stream, from_kernel(bound.data()),
                                {.source = ip("127.0.0.2"), .interface = "lo"});
  ASSERT_TRUE(fd) << fd.error().what;
  EXPECT_EQ(::getsockname(fd->get(), bound.data(), &bound.octets), 0);
  EXPECT_EQ(from_kernel(bound.data()).ip.text(), "127.0.0.2");
}

TEST(LocalEnd, WhatTheHostLacksIsNoRoute) {
  const LocalEnd lacking[] = {{.source = ip("192.0.2.77")}, {.interface = "nosuch0"}};
  for (const LocalEnd& local : lacking) {
    const auto fd = begin_connect(SocketKind::stream, nobody, local);
    ASSERT_FALSE(fd);
    EXPECT_TRUE(is_no_route(fd.error().code)) << fd.error().what;
    EXPECT_EQ(local_address_towards(nobody, local), "");
  }
  EXPECT_EQ(begin_connect(SocketKind::stream, nobody, lacking[0]).error().what,
            "connect to 127.0.0.1:9 from 192.0.2.77: Cannot assign requested address");
  EXPECT_EQ(begin_connect(SocketKind::stream, nobody, lacking[1]).error().what,
            "connect to 127.0.0.1:9 over interface nosuch0: No such device");
}

// From the calling thread; false if it cannot.
bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  return ::syscall(SYS_capset, &header, none) == 0;
}

TEST(LocalEnd, AMarkIsSetOrTheErrorSaysWhatIsMissing) {
  if (const auto fd = begin_connect(SocketKind::datagram, nobody, {.mark = 7})) {
    EXPECT_EQ(option(*fd, SOL_SOCKET, SO_MARK), 7);
  }
  std::thread([] {
    ASSERT_TRUE(drop_capabilities());
    const auto fd = begin_connect(SocketKind::datagram, nobody, {.mark = 7});
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().what,
              "connect to 127.0.0.1:9 with mark 7: Operation not permitted; sotto needs "
              "CAP_NET_ADMIN");
    EXPECT_FALSE(is_no_route(fd.error().code));
  }).join();
}

TEST(LocalEnd, TheKernelGivesUpPeersThatVanished) {
  const auto fd = begin_connect(SocketKind::stream, nobody);
  ASSERT_TRUE(fd);
  EXPECT_EQ(option(*fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 10'000);
  EXPECT_EQ(option(*fd, SOL_SOCKET, SO_KEEPALIVE), 1);
}

}  // namespace
}  // namespace sotto
