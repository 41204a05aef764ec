#include "transport/tls_server_credentials.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <new>
#include <optional>
#include <utility>

#include "base/last_words.h"
#include "transport/tls_chain.h"
#include "transport/tls_engine.h"
#include "transport/tls_gnutls.h"

namespace sotto {

namespace {

constexpr const char* pem_advice = "it must hold certificates in PEM form, the server's own first";
constexpr const char* key_advice = "it must hold the private key in PEM form";
constexpr const char* plain_key_advice =
    "nobody is there to ask for a passphrase; write the key without one: openssl pkey -in FILE "
    "-out NEW-FILE";

gnutls_datum_t view(const void* data, std::size_t size) {
  // GnuTLS takes input as a datum without const; it does not write to it.
  return {static_cast<unsigned char*>(const_cast<void*>(data)), static_cast<unsigned>(size)};
}

tl::unexpected<ServerFileFault> fault(const std::string& file, std::string what,
                                      std::string advice = {}) {
  return tl::unexpected(ServerFileFault{file, std::move(what), std::move(advice)});
}

tl::expected<std::string, ServerFileFault> read_file(const std::string& path, const char* what) {
  GnutlsDatum content;
  errno = 0;
  if (gnutls_load_file(path.c_str(), content.out()) < 0) {
    const char* reason = errno != 0 ? std::strerror(errno) : "it cannot be read";
    return fault(path, std::string("cannot read the ") + what + ": " + reason);
  }
  return std::string(content.data(), content.data() + content.size());
}

using Certificates = std::vector<CertificateOwner>;

tl::expected<Certificates, ServerFileFault> read_certificates(const std::string& path) {
  const auto text = read_file(path, "certificate");
  if (!text) return tl::unexpected(text.error());
  const gnutls_datum_t pem = view(text->data(), text->size());
  gnutls_x509_crt_t* list = nullptr;
  unsigned count = 0;
  const int error = gnutls_x509_crt_list_import2(&list, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
  if (error < 0) return fault(path, "no certificate can be read from the file", pem_advice);
  Certificates certificates;
  for (unsigned i = 0; i < count; ++i) certificates.emplace_back(list[i]);
  gnutls_free(list);
  if (certificates.size() > chain_certificates_max) {
    return fault(path, "the file holds too many certificates",
                 "leave those of the server and of the issuers between it and the root");
  }
  return certificates;
}

tl::expected<PrivateKeyOwner, ServerFileFault> read_key(const std::string& path) {
  auto text = read_file(path, "private key");
  if (!text) return tl::unexpected(text.error());
  gnutls_x509_privkey_t key = nullptr;
  if (gnutls_x509_privkey_init(&key) < 0) throw std::bad_alloc();
  PrivateKeyOwner owner(key);
  const gnutls_datum_t pem = view(text->data(), text->size());
  const bool encrypted = text->find("ENCRYPTED") != std::string::npos;
  const int error = encrypted
                        ? GNUTLS_E_DECRYPTION_FAILED
                        : gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, nullptr, 0);
  gnutls_memset(text->data(), 0, text->size());
  if (encrypted) return fault(path, "the private key is encrypted", plain_key_advice);
  if (error < 0) return fault(path, "no private key can be read from the file", key_advice);
  return owner;
}

template <class Handle>
using KeyIdOf = int (*)(Handle, unsigned, unsigned char*, std::size_t*);

// SHA-256 of the public key.
template <class Handle>
std::optional<std::array<std::uint8_t, 32>> key_id(KeyIdOf<Handle> id_of, Handle handle) {
  std::array<std::uint8_t, 32> id{};
  std::size_t size = id.size();
  if (id_of(handle, GNUTLS_KEYID_USE_SHA256, id.data(), &size) < 0) return std::nullopt;
  return id;
}

// Why clients could not use this certificate with what tls_priority offers; empty if they can.
std::string unusable(gnutls_x509_crt_t certificate) {
  unsigned bits = 0;
  const int algorithm = gnutls_x509_crt_get_pk_algorithm(certificate, &bits);
  switch (algorithm) {
    case GNUTLS_PK_RSA:
    case GNUTLS_PK_RSA_PSS:
    case GNUTLS_PK_ECDSA:
    case GNUTLS_PK_EDDSA_ED25519:
      break;
    default:
      return "the kind of its key is not used in TLS";
  }
  unsigned usage = 0;
  if (gnutls_x509_crt_get_key_usage(certificate, &usage, nullptr) >= 0 &&
      (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) == 0) {
    return "the certificate does not allow its key to sign";
  }
  return {};
}

tl::expected<void, ServerFileFault> check_key(const CertificatePair& files,
                                              const Certificates& certificates,
                                              gnutls_x509_privkey_t key) {
  const auto wanted = key_id(&gnutls_x509_privkey_get_key_id, key);
  const auto found = std::ranges::find_if(certificates, [&](const CertificateOwner& certificate) {
    return wanted && key_id(&gnutls_x509_crt_get_key_id, certificate.get()) == wanted;
  });
  if (found == certificates.end()) {
    return fault(files.key,
                 "the private key does not belong to the certificate in " + files.certificate,
                 "give each certificate the key that it was requested with, in the same order");
  }
  if (found != certificates.begin()) {
    return fault(files.certificate,
                 "the private key belongs to another certificate than the first in this file",
                 "put the server's own certificate first, then those of its issuers");
  }
  return {};
}

std::string lower(std::string text) {
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return text;
}

std::string fingerprint_of(const Certificates& certificates) {
  std::string chain;
  for (const CertificateOwner& certificate : certificates) {
    GnutlsDatum der;
    if (gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_DER, der.out()) >= 0) {
      chain.append(der.data(), der.data() + der.size());
    }
  }
  std::string fingerprint(gnutls_hash_get_len(GNUTLS_DIG_SHA256), '\0');
  gnutls_hash_fast(GNUTLS_DIG_SHA256, chain.data(), chain.size(), fingerprint.data());
  return fingerprint;
}

ServerCertificate described(const std::string& file, const Certificates& certificates) {
  ServerCertificate shown;
  shown.file = file;
  for (const AlternativeName& name : alternative_names(certificates.front().get())) {
    if (name.type == GNUTLS_SAN_DNSNAME) shown.dns_names.push_back(lower(name.octets));
    if (const auto address = name.address()) shown.addresses.push_back(*address);
  }
  shown.begins = std::chrono::system_clock::from_time_t(
      gnutls_x509_crt_get_activation_time(certificates.front().get()));
  shown.expires = std::chrono::system_clock::from_time_t(
      gnutls_x509_crt_get_expiration_time(certificates.front().get()));
  shown.fingerprint = fingerprint_of(certificates);
  return shown;
}

// How well a certificate's name fits the one asked for, in lower case; less is better. A wildcard
// stands for the whole first label and nothing else (RFC 6125 §6.4.3).
enum class Fit : std::uint8_t { exact, wildcard, none };

Fit fit(std::string_view shown, std::string_view asked) {
  if (shown == asked) return Fit::exact;
  if (!shown.starts_with("*.")) return Fit::none;
  const std::size_t dot = asked.find('.');
  const bool fits =
      dot != 0 && dot != std::string_view::npos && asked.substr(dot) == shown.substr(1);
  return fits ? Fit::wildcard : Fit::none;
}

// What the client asked for; empty if it did not.
std::string asked_name(gnutls_session_t session) {
  std::array<char, 256> name;
  std::size_t size = name.size();
  unsigned type = 0;
  if (gnutls_server_name_get(session, name.data(), &size, &type, 0) < 0) return {};
  std::string text(name.data(), std::min(size, name.size()));
  while (text.ends_with('\0') || text.ends_with('.')) text.pop_back();
  return lower(std::move(text));
}

// Can the client check signatures of such a key? It says which it knows, unless it is very old.
bool client_verifies(gnutls_session_t session, gnutls_pk_algorithm_t key) {
  for (std::size_t i = 0;; ++i) {
    gnutls_sign_algorithm_t algorithm = GNUTLS_SIGN_UNKNOWN;
    if (gnutls_sign_algorithm_get_requested(session, i, &algorithm) < 0) return i == 0;
    if (gnutls_sign_supports_pk_algorithm(algorithm, key) != 0) return true;
  }
}

// GnuTLS's own choice compares names octet by octet, without wildcards; this one is given each pair
// in the order of the configuration, so that of equally good ones the first is taken.
const ShownPair& choose(gnutls_session_t session, const TlsServerCredentials& credentials) {
  const auto& pairs = credentials.gnutls().pairs;
  if (pairs.size() == 1) return pairs.front();
  const std::string asked = asked_name(session);
  const ShownPair* best = nullptr;
  auto best_rank = std::pair{true, Fit::none};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    Fit nearest = Fit::none;
    for (const std::string& name : credentials.certificates()[i].dns_names) {
      nearest = std::min(nearest, fit(name, asked));
    }
    const auto rank = std::pair{!client_verifies(session, pairs[i].key_algorithm), nearest};
    if (best == nullptr || rank < best_rank) {
      best = &pairs[i];
      best_rank = rank;
    }
  }
  return *best;
}

// Called by GnuTLS when it needs a certificate, once a handshake. What it gets stays ours.
int give_certificate(gnutls_session_t session, const gnutls_cert_retr_st*,
                     gnutls_pcert_st** certificates, unsigned* count, gnutls_ocsp_data_st**,
                     unsigned*, gnutls_privkey_t* key, unsigned*) {
  const auto* engine = static_cast<const TlsEngine*>(gnutls_session_get_ptr(session));
  const ShownPair& pair = choose(session, *engine->server_credentials());
  *certificates = const_cast<gnutls_pcert_st*>(pair.certificates.data());
  *count = static_cast<unsigned>(pair.certificates.size());
  *key = pair.key.get();
  return 0;
}

void import(ShownPair& pair, const Certificates& certificates, PrivateKeyOwner key) {
  pair.key_algorithm = static_cast<gnutls_pk_algorithm_t>(
      gnutls_x509_crt_get_pk_algorithm(certificates.front().get(), nullptr));
  for (const CertificateOwner& certificate : certificates) {
    gnutls_pcert_st shown{};
    if (gnutls_pcert_import_x509(&shown, certificate.get(), 0) < 0) throw std::bad_alloc();
    pair.certificates.push_back(shown);
  }
  gnutls_privkey_t abstract = nullptr;
  if (gnutls_privkey_init(&abstract) < 0) throw std::bad_alloc();
  pair.key.reset(abstract);
  if (gnutls_privkey_import_x509(abstract, key.get(), GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) < 0) {
    throw std::bad_alloc();
  }
  static_cast<void>(key.release());  // the abstract key has taken it over
}

}  // namespace

std::shared_ptr<const TlsTicketKey> TlsTicketKey::random() {
  GnutlsDatum key;
  if (gnutls_session_ticket_key_generate(key.out()) < 0) throw std::bad_alloc();
  assert(key.size() == octets_count);
  return std::make_shared<const TlsTicketKey>(
      std::span<const std::uint8_t, octets_count>(key.data(), octets_count));
}

TlsTicketKey::TlsTicketKey(std::span<const std::uint8_t, octets_count> octets) {
  std::ranges::copy(octets, octets_.begin());
}

TlsTicketKey::~TlsTicketKey() {
  gnutls_memset(octets_.data(), 0, octets_.size());
}

TlsTicketKey::Octets TlsTicketKey::derived(std::string_view purpose) const {
  Octets key;
  const int error = gnutls_hmac_fast(GNUTLS_MAC_SHA512, octets_.data(), octets_.size(),
                                     purpose.data(), purpose.size(), key.data());
  if (error < 0) throw std::bad_alloc();
  return key;
}

tl::expected<std::shared_ptr<const TlsServerCredentials>, ServerFileFault>
TlsServerCredentials::load(const std::vector<CertificatePair>& pairs,
                           std::shared_ptr<const TlsTicketKey> ticket_key) {
  assert(!pairs.empty() && ticket_key != nullptr);
  std::shared_ptr<TlsServerCredentials> server(new TlsServerCredentials);
  server->credentials_ = std::make_unique<Credentials>();
  server->ticket_key_ = std::move(ticket_key);
  for (const CertificatePair& files : pairs) {
    auto certificates = read_certificates(files.certificate);
    if (!certificates) return tl::unexpected(certificates.error());
    auto key = read_key(files.key);
    if (!key) return tl::unexpected(key.error());
    if (auto fits = check_key(files, *certificates, key->get()); !fits) {
      return tl::unexpected(fits.error());
    }
    std::string wrong = unusable(certificates->front().get());
    if (!wrong.empty()) {
      return fault(files.certificate, std::move(wrong), "use one for TLS servers, ECDSA P-256 say");
    }
    server->certificates_.push_back(described(files.certificate, *certificates));
    import(server->credentials_->pairs.emplace_back(), *certificates, std::move(*key));
  }
  server->credentials_->priority = make_tls_priority(std::string(tls_priority) + tls_server_order);
  server->credentials_->credentials = make_certificate_credentials();
  gnutls_certificate_set_retrieve_function3(server->credentials_->credentials.get(),
                                            guarded<&give_certificate, GNUTLS_E_MEMORY_ERROR>);
  return std::shared_ptr<const TlsServerCredentials>(std::move(server));
}

TlsServerCredentials::~TlsServerCredentials() = default;

}  // namespace sotto
