#include "app/discovery.h"

#include <algorithm>
#include <utility>

namespace sotto {

namespace {

std::string text_of(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) text += (text.empty() ? "" : " ") + address.text();
  return text;
}

}  // namespace

bool Discovery::refresh(const Config::Discovery& discovery, const Config::Listen& listen,
                        const std::vector<ServerCertificate>& certificates,
                        const std::vector<IpAddress>& host) {
  Designation wanted;
  if (!discovery.name.empty()) wanted = designated_endpoints(discovery, listen, host);
  const auto name = designated_name(discovery, certificates);
  tell_of_name(!wanted.endpoints.empty() && !name);
  if (name && !wanted.endpoints.empty()) {
    wanted.name = *name;
  } else {
    wanted = {};
  }
  const bool changed = wanted != designation_;
  if (changed) {
    designation_ = std::move(wanted);
    resolver_.reset();
    if (!designation_.endpoints.empty()) {
      resolver_ = std::make_shared<const DesignatedResolver>(designation_);
    }
    log_.info("discovery.announced", "what clients are told of the encrypted listeners",
              {{"name", resolver_ ? name_to_text(designation_.name.octets()) : "none"},
               {"addresses", text_of(announced(designation_.addresses))}});
  }
  tell_of_certificate(certificates);
  return changed;
}

void Discovery::tell_of_name(bool is_missing) {
  if (is_missing && !name_missing_) {
    log_.warning("discovery.off",
                 "clients are not told of the encrypted listeners, as the first certificate has no "
                 "name of a host; set discovery.name, or to \"\" if that is intended");
  }
  name_missing_ = is_missing;
}

// RFC 9462 §4.2: clients that verify discovery want the address they know the resolver by in its
// certificate; all want the name.
void Discovery::tell_of_certificate(const std::vector<ServerCertificate>& certificates) {
  std::string unproven;
  const ServerCertificate* certificate = certificate_of(designation_.name, certificates);
  const bool has_name = certificate != nullptr;
  if (resolver_ && !has_name) unproven = name_to_text(designation_.name.octets());
  if (resolver_ && has_name) {
    std::vector<IpAddress> addresses = announced(designation_.addresses);
    std::erase_if(addresses, [&](const IpAddress& address) {
      const auto& proven = certificate->addresses;
      return std::find(proven.begin(), proven.end(), address) != proven.end();
    });
    unproven = text_of(addresses);
  }
  if (unproven == unproven_) return;
  unproven_ = std::move(unproven);
  if (unproven_.empty()) return;
  if (!has_name) {
    log_.warning("discovery.unproven",
                 "no certificate has the name that is announced; clients will not use it",
                 {{"name", unproven_}});
    return;
  }
  log_.warning("discovery.unproven",
               "the certificate lacks addresses of the encrypted listeners; clients that verify "
               "discovery (RFC 9462, section 4.2) will not use them there",
               {{"addresses", unproven_}});
}

}  // namespace sotto
