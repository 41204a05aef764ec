#include "transport/tls_credentials.h"

#include <algorithm>
#include <cassert>

#include "transport/tls_gnutls.h"

namespace sotto {

namespace {

constexpr std::string_view pin_prefix = "sha256/";
constexpr std::size_t pin_base64_octets = 44;  // 32 octets in base64, padding included

gnutls_datum_t view(const void* data, std::size_t size) {
  // GnuTLS takes input as a datum without const; it does not write to it.
  return {static_cast<unsigned char*>(const_cast<void*>(data)), static_cast<unsigned>(size)};
}

}  // namespace

Result<SpkiPin> parse_pin(std::string_view text) {
  if (!text.starts_with(pin_prefix)) return fail(Error::bad_pin);
  const std::string_view base64 = text.substr(pin_prefix.size());
  if (base64.size() != pin_base64_octets) return fail(Error::bad_pin);
  const gnutls_datum_t encoded = view(base64.data(), base64.size());
  GnutlsDatum decoded;
  SpkiPin pin;
  if (gnutls_base64_decode2(&encoded, decoded.out()) < 0 || decoded.size() != pin.size()) {
    return fail(Error::bad_pin);
  }
  std::copy_n(decoded.data(), pin.size(), pin.begin());
  // The decoder skips what it does not know; only the one spelling of a pin is accepted.
  if (pin_to_text(pin) != text) return fail(Error::bad_pin);
  return pin;
}

std::string pin_to_text(const SpkiPin& pin) {
  const gnutls_datum_t raw = view(pin.data(), pin.size());
  GnutlsDatum encoded;
  std::string text(pin_prefix);
  if (gnutls_base64_encode2(&raw, encoded.out()) < 0) return text;
  std::transform(encoded.data(), encoded.data() + encoded.size(), std::back_inserter(text),
                 [](unsigned char octet) { return static_cast<char>(octet); });
  return text;
}

PriorityOwner make_tls_priority(const std::string& text) {
  gnutls_priority_t priority = nullptr;
  const int error = gnutls_priority_init2(&priority, text.c_str(), nullptr, 0);
  assert(error == 0 && "tls_priority is not understood");
  return PriorityOwner(error == 0 ? priority : nullptr);
}

CertificateCredentialsOwner make_certificate_credentials() {
  gnutls_certificate_credentials_t credentials = nullptr;
  if (gnutls_certificate_allocate_credentials(&credentials) < 0) throw std::bad_alloc();
  return CertificateCredentialsOwner(credentials);
}

Result<std::shared_ptr<const TlsTrust>> TlsTrust::load(const std::string& ca_file) {
  gnutls_x509_trust_list_t list = nullptr;
  if (gnutls_x509_trust_list_init(&list, 0) < 0) throw std::bad_alloc();
  TrustListOwner owner(list);
  const int count = ca_file.empty()
                        ? gnutls_x509_trust_list_add_system_trust(list, 0, 0)
                        : gnutls_x509_trust_list_add_trust_file(list, ca_file.c_str(), nullptr,
                                                                GNUTLS_X509_FMT_PEM, 0, 0);
  if (count <= 0) return fail(Error::bad_certificate_file);

  std::shared_ptr<TlsTrust> trust(new TlsTrust);
  trust->credentials_ = std::make_unique<Credentials>();
  trust->credentials_->priority = make_tls_priority(tls_priority);
  trust->credentials_->credentials = make_certificate_credentials();
  trust->credentials_->list = std::move(owner);
  trust->certificates_ = static_cast<std::size_t>(count);
  trust->ca_file_ = ca_file;
  trust->fingerprint_ = trust_fingerprint(list);
  return std::shared_ptr<const TlsTrust>(std::move(trust));
}

TlsTrust::~TlsTrust() = default;

void TlsTicketStore::put(const TlsPeerIdentity& peer, std::vector<std::uint8_t> session) {
  const std::lock_guard lock(mutex_);
  if (peers_.size() >= peers_max && !peers_.contains(peer)) {
    peers_.erase(std::ranges::min_element(peers_, {},
                                          [](const auto& entry) { return entry.second.last_put; }));
  }
  Peer& entry = peers_[peer];
  entry.last_put = ++puts_;
  ++changes_;
  if (entry.tickets.size() >= tickets_per_peer_max) entry.tickets.erase(entry.tickets.begin());
  entry.tickets.push_back(std::move(session));
}

std::optional<std::vector<std::uint8_t>> TlsTicketStore::take(const TlsPeerIdentity& peer) {
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return std::nullopt;
  auto& tickets = found->second.tickets;
  std::vector<std::uint8_t> newest = std::move(tickets.back());
  tickets.pop_back();
  if (tickets.empty()) peers_.erase(found);
  ++changes_;
  return newest;
}

void TlsTicketStore::forget(const TlsPeerIdentity& peer) {
  const std::lock_guard lock(mutex_);
  if (peers_.erase(peer) > 0) ++changes_;
}

std::vector<PeerTickets> TlsTicketStore::all() const {
  const std::lock_guard lock(mutex_);
  std::map<std::uint64_t, PeerTickets> by_last_put;
  for (const auto& [peer, entry] : peers_) by_last_put[entry.last_put] = {peer, entry.tickets};
  std::vector<PeerTickets> copy;
  for (auto& [last_put, peer] : by_last_put) copy.push_back(std::move(peer));
  return copy;
}

std::uint64_t TlsTicketStore::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

std::size_t TlsTicketStore::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [peer, entry] : peers_) count += entry.tickets.size();
  return count;
}

}  // namespace sotto
