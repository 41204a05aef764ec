#include "test_certificates.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/clock.h"
#include "transport/address.h"
#include "transport/tls_credentials.h"

namespace sotto::test {

namespace {

void check(int error) {
  if (error < 0) throw std::runtime_error(gnutls_strerror(error));
}

std::string take(gnutls_datum_t& datum) {
  std::string text(datum.data, datum.data + datum.size);
  gnutls_free(datum.data);
  return text;
}

void set_names(gnutls_x509_crt_t certificate, const CertificateSpec& spec) {
  if (!spec.common_name.empty()) {
    check(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
                                        spec.common_name.data(),
                                        static_cast<unsigned>(spec.common_name.size())));
  }
  const auto append = [certificate](gnutls_x509_subject_alt_name_t type,
                                    const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      check(gnutls_x509_crt_set_subject_alt_name(
          certificate, type, name.data(), static_cast<unsigned>(name.size()), GNUTLS_FSAN_APPEND));
    }
  };
  append(GNUTLS_SAN_DNSNAME, spec.dns_names);
  append(GNUTLS_SAN_RFC822NAME, spec.emails);
  append(GNUTLS_SAN_URI, spec.uris);
  if (!spec.raw_dns_name.empty()) {  // GnuTLS tidies names up, so this one is encoded by hand
    const auto size = static_cast<char>(spec.raw_dns_name.size());
    const std::string der =
        std::string{'\x30', static_cast<char>(size + 2), '\x82', size} + spec.raw_dns_name;
    check(
        gnutls_x509_crt_set_extension_by_oid(certificate, "2.5.29.17", der.data(), der.size(), 0));
  }
  for (const std::string& text : spec.ip_addresses) {
    const IpAddress ip = IpAddress::parse(text).value();
    check(gnutls_x509_crt_set_subject_alt_name(
        certificate, GNUTLS_SAN_IPADDRESS, ip.octets().data(),
        static_cast<unsigned>(ip.octets().size()), GNUTLS_FSAN_APPEND));
  }
}

}  // namespace

TestKey::TestKey(gnutls_pk_algorithm_t algorithm) {
  gnutls_x509_privkey_t key = nullptr;
  check(gnutls_x509_privkey_init(&key));
  key_.reset(key);
  const unsigned bits = algorithm == GNUTLS_PK_ECDSA
                            ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
                            : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519);
  check(gnutls_x509_privkey_generate(key, algorithm, bits, 0));
}

std::string TestKey::pem() const {
  gnutls_datum_t datum{};
  check(gnutls_x509_privkey_export2_pkcs8(key_.get(), GNUTLS_X509_FMT_PEM, nullptr,
                                          GNUTLS_PKCS_PLAIN, &datum));
  return take(datum);
}

TestIdentity::TestIdentity(const CertificateSpec& spec, const TestIdentity* issuer,
                           std::shared_ptr<const TestKey> key)
    : key_(key != nullptr ? std::move(key) : std::make_shared<const TestKey>()) {
  gnutls_x509_crt_t certificate = nullptr;
  check(gnutls_x509_crt_init(&certificate));
  certificate_.reset(certificate);
  static unsigned char serial = 0;
  ++serial;
  check(gnutls_x509_crt_set_version(certificate, 3));
  check(gnutls_x509_crt_set_serial(certificate, &serial, 1));
  check(gnutls_x509_crt_set_key(certificate, key_->get()));
  const auto now = wall_now();
  using Wall = std::chrono::system_clock;
  check(gnutls_x509_crt_set_activation_time(certificate, Wall::to_time_t(now + spec.valid_from)));
  check(gnutls_x509_crt_set_expiration_time(certificate, Wall::to_time_t(now + spec.valid_to)));
  check(gnutls_x509_crt_set_basic_constraints(certificate, spec.authority ? 1 : 0, -1));
  check(gnutls_x509_crt_set_key_usage(
      certificate, spec.authority ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE));
  if (!spec.authority && spec.purpose != nullptr) {
    check(gnutls_x509_crt_set_key_purpose_oid(certificate, spec.purpose, 0));
  }
  set_names(certificate, spec);
  check(gnutls_x509_crt_sign2(certificate, issuer != nullptr ? issuer->certificate() : certificate,
                              issuer != nullptr ? issuer->key()->get() : key_->get(),
                              GNUTLS_DIG_SHA256, 0));
  // GnuTLS compares names of what was parsed only, so the certificate is read back.
  gnutls_datum_t encoded{};
  check(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &encoded));
  gnutls_x509_crt_t parsed = nullptr;
  check(gnutls_x509_crt_init(&parsed));
  certificate_.reset(parsed);
  const int error = gnutls_x509_crt_import(parsed, &encoded, GNUTLS_X509_FMT_DER);
  gnutls_free(encoded.data);
  check(error);
}

std::string TestIdentity::pem() const {
  gnutls_datum_t datum{};
  check(gnutls_x509_crt_export2(certificate_.get(), GNUTLS_X509_FMT_PEM, &datum));
  return take(datum);
}

std::string TestIdentity::pin() const {
  SpkiPin pin{};
  std::size_t size = pin.size();
  check(gnutls_x509_crt_get_key_id(certificate_.get(), GNUTLS_KEYID_USE_SHA256, pin.data(), &size));
  return pin_to_text(pin);
}

TempDirectory::TempDirectory()
    : path_((std::filesystem::temp_directory_path() / "sotto-test-XXXXXX").string()) {
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDirectory::write(const std::string& name, const std::string& content) const {
  const std::string path = path_ + "/" + name;
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
  return path;
}

}  // namespace sotto::test
