#include "transport/datagram_io.h"

#include <cassert>
#include <cerrno>
#include <cstring>

namespace sotto {
namespace {

constexpr std::size_t control_octets = CMSG_SPACE(sizeof(in6_pktinfo));
constexpr std::size_t v4_in_v6_offset = 12;

// Buffers a power of two apart would all compete for the same few places of the CPU's cache.
constexpr std::size_t stride_offset = 64;

using Control = std::array<std::uint8_t, control_octets>;

// recvmsg()'s ancillary data: which of our addresses was asked.
void read_asked(msghdr& header, DatagramPath& path) {
  path.has_asked = false;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(item), sizeof info);
      std::memcpy(path.asked.ipi6_addr.s6_addr + v4_in_v6_offset, &info.ipi_addr,
                  sizeof info.ipi_addr);
      path.asked.ipi6_ifindex = 0;  // the route decides; the address alone must match
      path.has_asked = true;
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(&path.asked, CMSG_DATA(item), sizeof path.asked);
      // Only a link-local address needs its interface; a global one goes where the route says.
      if (!IN6_IS_ADDR_LINKLOCAL(&path.asked.ipi6_addr)) path.asked.ipi6_ifindex = 0;
      path.has_asked = true;
    }
  }
}

template <class Info>
void put_control(msghdr& header, int level, int type, const Info& info) {
  header.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = level;
  item->cmsg_type = type;
  item->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(item), &info, sizeof info);
}

void write_asked(msghdr& header, const DatagramPath& path) {
  if (path.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, path.asked.ipi6_addr.s6_addr + v4_in_v6_offset,
                sizeof info.ipi_spec_dst);
    put_control(header, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, path.asked);
  }
}

socklen_t peer_octets(const DatagramPath& path) {
  return path.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

}  // namespace

struct DatagramSocket::Receiving {
  std::array<mmsghdr, datagram_batch_max> headers{};
  std::array<iovec, datagram_batch_max> vectors{};
  std::array<DatagramPath, datagram_batch_max> paths{};
  std::array<Control, datagram_batch_max> controls{};
  std::unique_ptr<std::uint8_t[]> buffers;
};

struct DatagramSocket::Sending {
  std::array<mmsghdr, datagram_batch_max> headers{};
  std::array<iovec, datagram_batch_max> vectors{};
  std::array<DatagramPath::Peer, datagram_batch_max> peers{};
  std::array<Control, datagram_batch_max> controls{};
  std::array<std::array<std::uint8_t, edns_udp_octets_max>, datagram_batch_max> buffers;
};

// The buffers are left uninitialised on purpose: a page is only taken when a datagram needs it.
DatagramSocket::DatagramSocket(int fd, bool wildcard, std::size_t octets_max)
    : fd_(fd), wildcard_(wildcard), receiving_(new Receiving), sending_(new Sending) {
  const std::size_t stride = octets_max + stride_offset;
  receiving_->buffers.reset(new std::uint8_t[stride * datagram_batch_max]);
  for (std::size_t at = 0; at < datagram_batch_max; ++at) {
    receiving_->vectors[at] = {receiving_->buffers.get() + at * stride, octets_max};
    msghdr& receive = receiving_->headers[at].msg_hdr;
    receive.msg_name = &receiving_->paths[at].peer;
    receive.msg_namelen = sizeof receiving_->paths[at].peer;
    receive.msg_iov = &receiving_->vectors[at];
    receive.msg_iovlen = 1;
    sending_->vectors[at].iov_base = sending_->buffers[at].data();
    msghdr& send = sending_->headers[at].msg_hdr;
    send.msg_name = &sending_->peers[at];
    send.msg_iov = &sending_->vectors[at];
    send.msg_iovlen = 1;
  }
}

DatagramSocket::~DatagramSocket() = default;

std::size_t DatagramSocket::receive_batch() {
  if (wildcard_) {
    for (std::size_t at = 0; at < datagram_batch_max; ++at) {
      receiving_->headers[at].msg_hdr.msg_control = receiving_->controls[at].data();
      receiving_->headers[at].msg_hdr.msg_controllen = control_octets;
    }
  }
  const int count =
      ::recvmmsg(fd_, receiving_->headers.data(), datagram_batch_max, MSG_DONTWAIT, nullptr);
  if (count <= 0) return 0;
  const auto received = static_cast<std::size_t>(count);
  for (std::size_t at = 0; at < received; ++at) {
    receiving_->headers[at].msg_hdr.msg_namelen = sizeof receiving_->paths[at].peer;
  }
  for (std::size_t at = 0; wildcard_ && at < received; ++at) {
    read_asked(receiving_->headers[at].msg_hdr, receiving_->paths[at]);
  }
  return received;
}

std::span<const std::uint8_t> DatagramSocket::octets(std::size_t at) const {
  return {static_cast<const std::uint8_t*>(receiving_->vectors[at].iov_base),
          receiving_->headers[at].msg_len};
}

const DatagramPath& DatagramSocket::path(std::size_t at) const {
  return receiving_->paths[at];
}

std::span<std::uint8_t> DatagramSocket::response_space() {
  if (filled_ == datagram_batch_max) send_batch();
  return sending_->buffers[filled_];
}

void DatagramSocket::response_written(const DatagramPath& path, std::size_t octets) {
  assert(octets > 0 && octets <= edns_udp_octets_max);
  sending_->peers[filled_] = path.peer;
  sending_->vectors[filled_].iov_len = octets;
  msghdr& header = sending_->headers[filled_].msg_hdr;
  header.msg_namelen = peer_octets(path);
  if (path.has_asked) {
    header.msg_control = sending_->controls[filled_].data();
    write_asked(header, path);
  } else {
    header.msg_control = nullptr;
    header.msg_controllen = 0;
  }
  ++filled_;
}

void DatagramSocket::send_batch() {
  std::size_t sent = 0;
  while (sent < filled_) {
    const int count = ::sendmmsg(fd_, sending_->headers.data() + sent,
                                 static_cast<unsigned>(filled_ - sent), MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    // The first one cannot be sent (no route to that client, say, or the buffer is full): skip it,
    // so that one client cannot hold up the others.
    ++sent;
    unsent_.add();
  }
  filled_ = 0;
}

bool request_asked_address(int fd, bool v4) {
  const int on = 1;
  return v4 ? ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0
            : ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0;
}

}  // namespace sotto
