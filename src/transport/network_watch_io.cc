#include "transport/network_watch_io.h"

#include <array>
#include <cerrno>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace sotto {
namespace {

constexpr unsigned groups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
// Then others get their turn.
constexpr int messages_at_once = 256;

SystemError error_of(const char* call) {
  const int code = errno;
  return {code, std::string{call} + ": " + std::generic_category().message(code)};
}

}  // namespace

tl::expected<std::unique_ptr<NetworkWatch>, SystemError> NetworkWatch::open(
    Loop& loop, std::function<void()> on_change) {
  UniqueFd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!fd) return tl::unexpected(error_of("netlink socket"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return tl::unexpected(error_of("bind netlink socket"));
  }
  std::unique_ptr<NetworkWatch> watch(new NetworkWatch(loop, std::move(fd), std::move(on_change)));
  watch->wait();
  return watch;
}

void NetworkWatch::wait() {
  watch_.when_readable([this] { on_readable(); });
}

// What changed is not looked at: who is told compares the paths it uses, which is what matters.
bool NetworkWatch::drain() {
  std::array<std::uint8_t, 64> begin;  // the rest of each message is dropped by the kernel
  bool changed = false;
  for (int i = 0; i < messages_at_once; ++i) {
    const ssize_t count = ::recv(watch_.fd(), begin.data(), begin.size(), MSG_DONTWAIT);
    // ENOBUFS: there were more than the socket holds.
    if (count < 0 && errno != ENOBUFS && errno != EINTR) break;
    changed = changed || count >= 0 || errno == ENOBUFS;
  }
  return changed;
}

void NetworkWatch::on_readable() {
  const bool tell = drain() && burst_.on_change(loop_.now());
  wait();
  if (tell) on_change_();
}

void NetworkWatch::on_deadline() {
  if (burst_.on_deadline(loop_.now())) on_change_();
}

}  // namespace sotto
