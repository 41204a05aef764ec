// The floor of the load benchmark: a bare UDP echo that turns every query into a response by
// setting QR. What it costs is what the kernel asks for one packet in and one out when both are
// batched. Run by tests/bench/load.py: udp_echo PORT.
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr unsigned batch = 64;                           // as the server under test batches
constexpr int socket_buffer_octets = 4 * 1'024 * 1'024;  // bursts of 1,000 must not overflow it
constexpr std::size_t message_octets_max = 512;
constexpr std::size_t header_octets = 12;
constexpr std::uint8_t qr_bit = 0x80;  // RFC 1035 §4.1.1, in the third octet

struct Batch {
  std::array<std::array<std::uint8_t, message_octets_max>, batch> octets;
  std::array<sockaddr_in, batch> clients;
  std::array<iovec, batch> vectors;
  std::array<mmsghdr, batch> messages;

  void prepare() {
    for (std::size_t i = 0; i < batch; ++i) {
      vectors[i] = {octets[i].data(), message_octets_max};
      messages[i] = {};
      messages[i].msg_hdr.msg_name = &clients[i];
      messages[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

int open_socket(std::uint16_t port) {
  const int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return -1;
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
    setsockopt(socket_fd, SOL_SOCKET, option, &socket_buffer_octets, sizeof socket_buffer_octets);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof address);
  std::memcpy(&generic, &address, sizeof address);
  if (bind(socket_fd, &generic, sizeof generic) != 0) return -1;
  return socket_fd;
}

// Sends all of them; a full send buffer waits.
bool send_all(int socket_fd, Batch& batch_of, unsigned count) {
  for (unsigned sent = 0; sent < count;) {
    const int now = sendmmsg(socket_fd, batch_of.messages.data() + sent, count - sent, 0);
    if (now < 0 && errno != EINTR) return false;
    if (now > 0) sent += static_cast<unsigned>(now);
  }
  return true;
}

int serve(int socket_fd) {
  static Batch all{};
  for (;;) {
    all.prepare();
    const int received = recvmmsg(socket_fd, all.messages.data(), batch, MSG_WAITFORONE, nullptr);
    if (received < 0) {
      if (errno == EINTR) continue;
      std::perror("recvmmsg");
      return 1;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
      all.vectors[i].iov_len = all.messages[i].msg_len;
      if (all.messages[i].msg_len >= header_octets) all.octets[i][2] |= qr_bit;
    }
    if (!send_all(socket_fd, all, static_cast<unsigned>(received))) {
      std::perror("sendmmsg");
      return 1;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  const std::string_view text = argc == 2 ? argv[1] : "";
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc{} ||
      port == 0) {
    std::fputs("usage: udp_echo PORT\n", stderr);
    return 2;
  }
  const int socket_fd = open_socket(port);
  if (socket_fd < 0) {
    std::perror("udp_echo");
    return 1;
  }
  return serve(socket_fd);
}
