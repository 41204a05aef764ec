#include "app/upstream_log.h"

#include <algorithm>
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
      failing_.erase(address);
      down_.erase(std::string(name));
      log_.info("upstream.recovered", "answers again", {{"upstream", name}, {"address", address}});
      return;
    case UpstreamEvent::Kind::avoided:
      log_.warning("upstream.avoided", "others are asked instead, where there are any",
                   {{"upstream", name}, {"address", address}, {"reason", event.detail}});
      return;
    case UpstreamEvent::Kind::moved:
      log_.info("upstream.moved", "the network has changed; connecting anew",
                {{"upstream", name}, {"address", address}, {"from", event.detail}});
      return;
    case UpstreamEvent::Kind::discarded:
      log_.warning("upstream.discarded", "answer discarded",
                   {{"upstream", name}, {"address", address}, {"reason", event.detail}});
      return;
    case UpstreamEvent::Kind::refused:
      log_.warning("upstream.refused",
                   "it refuses to answer us; others are asked, if there are any",
                   {{"upstream", name}, {"address", address}, {"rcode", event.detail}});
      return;
    case UpstreamEvent::Kind::no_edns:
      log_.warning("upstream.no_edns",
                   "answers FORMERR to EDNS; asked without until a probe succeeds",
                   {{"upstream", name}, {"address", address}});
      return;
  }
}

bool UpstreamLog::all_failing(const Upstream& upstream) const {
  return std::all_of(upstream.endpoints.begin(), upstream.endpoints.end(), [this](const auto& one) {
    return one && failing_.contains(one->spec.identity.endpoint.text());
  });
}

void UpstreamLog::on_failed(const UpstreamEvent& event) {
  const std::string_view name = event.upstream.spec.name;
  const std::string address = event.endpoint.spec.identity.endpoint.text();
  const std::string expected = event.endpoint.spec.identity.expected();
  const auto known = failing_.find(address);
  const bool told = known != failing_.end() && known->second == event.detail;
  failing_.insert_or_assign(address, std::string(event.detail));
  switch (event.failure) {
    case FailureKind::authentication:
      log_.write(told ? LogLevel::debug : LogLevel::error, "upstream.unauthenticated",
                 "not used: it cannot be authenticated",
                 {{"upstream", name},
                  {"address", address},
                  {"expected", expected},
                  {"reason", event.detail}});
      break;
    case FailureKind::no_route:  // a host with one address family is not in trouble
      log_.debug("upstream.no_route", "no route to this address",
                 {{"upstream", name}, {"address", address}});
      break;
    case FailureKind::transport:
    case FailureKind::none:
      log_.write(told ? LogLevel::debug : LogLevel::warning, "upstream.failed",
                 "cannot be used just now",
                 {{"upstream", name}, {"address", address}, {"reason", event.detail}});
      break;
  }
  if (all_failing(event.upstream) && down_.insert(std::string(name)).second) {
    log_.warning("upstream.down", "none of its addresses can be used",
                 {{"upstream", name}, {"reason", event.detail}});
  }
}

}  // namespace sotto
