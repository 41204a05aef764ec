// Keys and certificates made while the test runs, so that none expires in the repository.
#pragma once

#include <chrono>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <memory>
#include <string>
#include <vector>

namespace sotto::test {

struct CertificateSpec {
  std::string common_name = {};
  std::vector<std::string> dns_names = {};
  std::vector<std::string> emails = {};
  std::vector<std::string> uris = {};
  std::vector<std::string> ip_addresses = {};
  std::string raw_dns_name = {};  // written as it is, instead of dns_names; at most 100 octets
  std::chrono::seconds valid_from = std::chrono::hours(-24);  // relative to now
  std::chrono::seconds valid_to = std::chrono::hours(24);
  bool authority = false;
  const char* purpose = GNUTLS_KP_TLS_WWW_SERVER;  // null: none said
};

class TestKey {
 public:
  // GNUTLS_PK_ECDSA: with P-256.
  explicit TestKey(gnutls_pk_algorithm_t algorithm = GNUTLS_PK_ECDSA);
  gnutls_x509_privkey_t get() const { return key_.get(); }
  std::string pem() const;

 private:
  struct Deleter {
    void operator()(gnutls_x509_privkey_t key) const { gnutls_x509_privkey_deinit(key); }
  };
  std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>, Deleter> key_;
};

// A certificate with its key.
class TestIdentity {
 public:
  // issuer null: self-signed. key null: a new one.
  explicit TestIdentity(const CertificateSpec& spec, const TestIdentity* issuer = nullptr,
                        std::shared_ptr<const TestKey> key = nullptr);

  gnutls_x509_crt_t certificate() const { return certificate_.get(); }
  const std::shared_ptr<const TestKey>& key() const { return key_; }
  std::string pem() const;
  std::string pin() const;  // "sha256/..."

 private:
  struct Deleter {
    void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
  };
  std::shared_ptr<const TestKey> key_;
  std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, Deleter> certificate_;
};

// A directory that goes away with its files.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  // Writes a file; returns its path.
  std::string write(const std::string& name, const std::string& content) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sotto::test
