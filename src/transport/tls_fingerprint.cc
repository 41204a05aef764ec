#include <array>
#include <gnutls/crypto.h>

#include "transport/tls_gnutls.h"

namespace sotto {

std::string trust_fingerprint(gnutls_x509_trust_list_t list) {
  std::string fingerprint;
  gnutls_hash_hd_t hash = nullptr;
  if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) return fingerprint;
  gnutls_x509_trust_list_iter_t iterator = nullptr;
  gnutls_x509_crt_t certificate = nullptr;
  while (gnutls_x509_trust_list_iter_get_ca(list, &iterator, &certificate) >= 0) {
    GnutlsDatum der;
    if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, der.out()) >= 0) {
      gnutls_hash(hash, der.data(), der.size());
    }
    gnutls_x509_crt_deinit(certificate);
  }
  gnutls_x509_trust_list_iter_deinit(iterator);
  fingerprint.resize(gnutls_hash_get_len(GNUTLS_DIG_SHA256));
  gnutls_hash_deinit(hash, fingerprint.data());
  return fingerprint;
}

}  // namespace sotto
