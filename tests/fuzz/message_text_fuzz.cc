// Any octets as the answer that sotto query shows: it ends, and what it prints is printable ASCII.
#include <cassert>
#include <cstdint>

#include "app/query/message_text.h"
#include "app/query/query_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t message_octets_max = 65'535;
  const std::span message(data, size < message_octets_max ? size : message_octets_max);
  const sotto::MessageText shown = sotto::message_text(message);
  for (const char character : shown.text) {
    assert((character >= ' ' && character <= '~') || character == '\n' || character == '\t');
  }
  for (const char character : shown.answers) {
    assert((character >= ' ' && character <= '~') || character == '\n');
  }
  const auto query = sotto::query_message({}, 0x1234, sotto::QueryServer::Transport::tls);
  assert(!sotto::answers(message, query) || message.size() >= sotto::header_octets);
  return 0;
}
