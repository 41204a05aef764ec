// PROXY headers: what is decided is decided by a first few octets, for all that begins with them,
// and every client that a header names reads back from a header of its own.
#include <cstring>
#include <vector>

#include "check.h"
#include "transport/proxy_header.h"

namespace {

using Octets = std::span<const std::uint8_t>;
using Kind = sotto::ProxyHeader::Kind;

bool same(const sotto::ProxyHeader& one, const sotto::ProxyHeader& other) {
  return one.kind == other.kind && one.octets == other.octets && one.client == other.client;
}

// Version 2, without fields.
std::vector<std::uint8_t> header_of(const sotto::SocketAddress& client) {
  std::vector<std::uint8_t> header{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A,
                                   0x51, 0x55, 0x49, 0x54, 0x0A, 0x21};
  const Octets ip = client.ip.octets();
  header.push_back(client.ip.is_v4() ? 0x11 : 0x21);
  header.push_back(0);
  header.push_back(static_cast<std::uint8_t>(2 * ip.size() + 4));
  header.insert(header.end(), ip.begin(), ip.end());
  header.insert(header.end(), ip.begin(), ip.end());
  header.push_back(static_cast<std::uint8_t>(client.port >> 8U));
  header.push_back(static_cast<std::uint8_t>(client.port & 0xFFU));
  header.insert(header.end(), {0, 53});
  return header;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Octets octets(data, size);
  sotto::ProxyHeader decided = sotto::read_proxy_header({});
  SOTTO_CHECK(decided.kind == Kind::incomplete);
  for (std::size_t count = 1; count <= size; ++count) {
    const sotto::ProxyHeader header = sotto::read_proxy_header(octets.first(count));
    if (decided.kind != Kind::incomplete) {
      SOTTO_CHECK(same(header, decided));
      continue;
    }
    decided = header;
    SOTTO_CHECK(count < sotto::proxy_header_octets_max || header.kind != Kind::incomplete);
    const bool whole = header.kind == Kind::local || header.kind == Kind::proxied;
    SOTTO_CHECK(header.octets == (whole ? count : 0));
    if (header.kind != Kind::proxied) continue;
    const auto own = header_of(header.client);
    SOTTO_CHECK(same(sotto::read_proxy_header(own),
                     {.kind = Kind::proxied, .octets = own.size(), .client = header.client}));
  }
  return 0;
}
