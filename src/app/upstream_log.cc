#include "app/upstream_log.h"

#include <string>

namespace sotto {

void UpstreamLog::on_upstream_event(const UpstreamEvent& event) {
  const std::string_view name = event.upstream.spec.name;
  const std::string address = event.endpoint.spec.identity.endpoint.text();
  switch (event.kind) {
    case UpstreamEvent::Kind::connected:
      log_.info("upstream.connected", "connected and authenticated",
                {{"upstream", name}, {"address", address}, {"tls", event.detail}});
      return;
    case UpstreamEvent::Kind::closed:
      log_.debug("upstream.closed", "connection closed",
                 {{"upstream", name}, {"address", address}, {"reason", event.detail}});
      return;
    case UpstreamEvent::Kind::suspect:
      log_.info("upstream.suspect", "silent with queries outstanding; asking elsewhere",
                {{"upstream", name}, {"address", address}});
      return;
    case UpstreamEvent::Kind::unsuspected:
      log_.debug("upstream.unsuspected", "no longer silent",
                 {{"upstream", name}, {"address", address}});
      return;
    case UpstreamEvent::Kind::failed:
      on_failed(event);
      return;
    case UpstreamEvent::Kind::recovered:
      log_.info("upstream.recovered", "answers again", {{"upstream", name}, {"address", address}});
      return;
    case UpstreamEvent::Kind::discarded:
      log_.warning("upstream.discarded", "answer discarded",
                   {{"upstream", name}, {"address", address}, {"reason", event.detail}});
      return;
    case UpstreamEvent::Kind::no_edns:
      log_.warning("upstream.no_edns", "answers only queries without EDNS; asked so for an hour",
                   {{"upstream", name}, {"address", address}});
      return;
  }
}

void UpstreamLog::on_failed(const UpstreamEvent& event) {
  const std::string_view name = event.upstream.spec.name;
  const std::string address = event.endpoint.spec.identity.endpoint.text();
  const std::string expected = event.endpoint.spec.identity.expected();
  switch (event.failure) {
    case FailureKind::authentication:
      log_.error("upstream.unauthenticated", "not used: it cannot be authenticated",
                 {{"upstream", name},
                  {"address", address},
                  {"expected", expected},
                  {"reason", event.detail}});
      return;
    case FailureKind::no_route:  // a host with one address family is not in trouble
      log_.debug("upstream.no_route", "no route to this address",
                 {{"upstream", name}, {"address", address}});
      return;
    case FailureKind::transport:
    case FailureKind::none:
      log_.warning("upstream.failed", "cannot be used just now",
                   {{"upstream", name}, {"address", address}, {"reason", event.detail}});
      return;
  }
}

}  // namespace sotto
