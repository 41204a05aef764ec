// HTTP/2: whatever a client sends, what the server holds stays bounded, every request is given
// once, and after the end nothing more is. The first octet says how the rest is cut, the second
// when requests are answered and what stands before the rest.
#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "check.h"
#include "transport/http2_server.h"

namespace {

constexpr std::string_view greeting{
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0", 42};

class Conversation {
 public:
  explicit Conversation(unsigned rhythm) : rhythm_(rhythm) {}

  void receive(std::span<const std::uint8_t> octets) {
    server_.receive(octets);
    if (rhythm_ % 3 != 0) produce();
    if (++turn_ % (1 + rhythm_ % 5) == 0) answer();
    check();
  }

  void finish() {
    answer();
    server_.stop();
    produce();
    check();
  }

 private:
  void produce() {
    sotto::OctetQueue out;
    server_.produce(out);
  }

  void answer() {
    while (const auto request = server_.next()) {
      SOTTO_CHECK(request->body.size() <= sotto::http2_body_octets_max);
      SOTTO_CHECK(request->fault != sotto::HttpRequestView::Fault::none ||
                  (!request->method.empty() && !request->path.empty()));
      SOTTO_CHECK(given_.insert(request->stream).second);
      SOTTO_CHECK(server_.waits(request->stream));
      if (request->stream % 8 == 7) continue;  // nobody answers these
      const std::vector<std::uint8_t> body(request->stream % 2'000, 'b');
      server_.respond(request->stream, {.status = 200,
                                        .content_type = "text/plain",
                                        .cache_control = {},
                                        .allow = {},
                                        .body = body});
      SOTTO_CHECK(!server_.waits(request->stream));
    }
  }

  void check() {
    SOTTO_CHECK(server_.streams() <= sotto::http2_streams_max);
    SOTTO_CHECK(server_.request_octets() <= sotto::http2_requests_octets_max + 65'536);
    // The last response, and the acknowledgements that nghttp2 keeps, 1,000 of PING.
    SOTTO_CHECK(server_.held() <= sotto::http2_unread_octets_max + 2'000 + 17'000);
    const bool goodbye = server_.ending() == sotto::Http2Ending::goodbye;
    const bool open = server_.ending() == sotto::Http2Ending::none;
    SOTTO_CHECK(open ? !server_.ended() : goodbye || server_.ended());
    if (server_.ended()) SOTTO_CHECK(!server_.next());
  }

  unsigned rhythm_;
  unsigned turn_ = 0;
  sotto::Http2Server server_;
  std::set<std::uint32_t> given_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = data[0] < 200 ? data[0] + std::size_t{1} : 16'384;
  Conversation conversation(data[1]);
  std::span<const std::uint8_t> stream(data + 2, size - 2);
  if (data[1] < 128) {
    conversation.receive({reinterpret_cast<const std::uint8_t*>(greeting.data()), greeting.size()});
  }
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    conversation.receive(stream.subspan(at, std::min(piece, stream.size() - at)));
  }
  conversation.finish();
  return 0;
}
