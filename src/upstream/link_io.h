// Links over TCP and TLS on the event loop. Test: tests/integration.
#pragma once

#include <memory>
#include <string>

#include "base/slot_map.h"
#include "transport/loop_io.h"
#include "transport/tls_credentials.h"
#include "upstream/link.h"

namespace sotto {

class TlsLink;

// Opens DoT connections for one worker (RFC 7858). Outlives its links.
class TlsLinkOpener final : public LinkOpener {
 public:
  TlsLinkOpener(Loop& loop, TlsTicketStore& tickets) : loop_(loop), tickets_(tickets) {}

  std::unique_ptr<Link> open(const EndpointSpec& endpoint, LinkEvents& events) override;
  std::string path_to(const EndpointSpec& endpoint) override;

 private:
  friend class TlsLink;
  struct Place {
    TlsLink* link = nullptr;
    void reset() { link = nullptr; }
  };
  using Links = SlotMap<Place, struct LinkTag>;

  Loop& loop_;
  TlsTicketStore& tickets_;
  Links links_;
};

}  // namespace sotto
