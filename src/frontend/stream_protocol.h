// What is spoken on a stream between clients and sotto, over TLS or not: octets in, queries out;
// responses in, octets out. DNS framing (frontend/dns_stream) and HTTP/2 implement it. No I/O, no
// clock. Test: those of the protocols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "transport/octet_queue.h"
#include "transport/tls_engine.h"

namespace sotto {

// One connection's. Calls come in this order: receive(), then next() until it has nothing or the
// driver has enough; later more of next(). respond(), drop() and produce() come at any time.
class StreamProtocol {
 public:
  struct Query {
    std::span<const std::uint8_t> message;  // valid until the next receive() or next()
    std::uint32_t stream = 0;               // names it in what follows; 0 where there are none
  };

  virtual ~StreamProtocol() = default;

  // Octets of the client, in order, cut anywhere. Copies what it keeps.
  virtual void receive(std::span<const std::uint8_t> plaintext) = 0;
  // The next whole query; nothing: more octets are needed. Each is followed by exactly one
  // respond() or drop() unless the connection closes before.
  virtual std::optional<Query> next() = 0;

  // False: nobody wants that response any more (its stream was reset). The driver then calls
  // neither respond() nor drop() for it.
  virtual bool waits(std::uint32_t stream) const = 0;
  // response: a whole DNS message; copied.
  virtual void respond(std::uint32_t stream, std::span<const std::uint8_t> response) = 0;
  // The query gets no response.
  virtual void drop(std::uint32_t stream) = 0;
  // Appends what is to leave, as far as the client's flow control lets it: whole messages.
  virtual void produce(OctetQueue& plaintext) = 0;
  // Where records of TLS end in what was produced: there are clients that read one response of each
  // and wait for the next. doc/decisions/0032-one-message-per-record.md
  virtual RecordCut record_cut() const = 0;
  // Octets of responses accepted but not produced yet.
  virtual std::size_t held() const = 0;

  // No further queries are taken (HTTP/2: GOAWAY); what was asked is answered.
  virtual void stop() = 0;
  // The client broke the rules or said goodbye: nothing more is read from it, and the connection
  // closes when all is sent.
  virtual bool ended() const = 0;
};

}  // namespace sotto
