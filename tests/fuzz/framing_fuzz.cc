// Framing: whatever the pieces, the messages are those of the stream. The first octet says how the
// rest is cut.
#include <algorithm>
#include <cstring>
#include <vector>

#include "check.h"
#include "dns/framing.h"
#include "dns/wire.h"

namespace {

using Octets = std::vector<std::uint8_t>;

std::vector<Octets> whole_messages(std::span<const std::uint8_t> stream) {
  std::vector<Octets> messages;
  while (stream.size() >= 2) {
    const std::size_t length = sotto::load16(stream.data());
    if (stream.size() - 2 < length) break;
    if (length > 0)
      messages.emplace_back(stream.begin() + 2,
                            stream.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    stream = stream.subspan(2 + length);
  }
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> stream(data + 1, size - 1);
  const std::size_t piece = data[0] % 32U + 1;
  const bool drain_late = data[0] >= 128;
  sotto::StreamFramer framer;
  std::vector<Octets> messages;
  std::size_t cut = 0;  // octets that came out, their lengths included
  const auto drain = [&] {
    while (const auto message = framer.next()) {
      messages.emplace_back(message->begin(), message->end());
      cut += 2 + message->size();
    }
  };
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const std::size_t count = std::min(piece, stream.size() - at);
    const auto space = framer.space(count);
    SOTTO_CHECK(space.size() >= count);
    std::memcpy(space.data(), stream.data() + at, count);
    framer.filled(count);
    if (!drain_late || at % 5 == 0) drain();
  }
  drain();
  SOTTO_CHECK(messages == whole_messages(stream));
  SOTTO_CHECK(cut + 2 * framer.empty_messages() + framer.partial_octets() == stream.size());
  return 0;
}
