#include "app/server_tls.h"

namespace sotto {

std::set<std::string> ServerTlsFiles::paths() const {
  std::set<std::string> all = client_cas;
  for (const CertificatePair& pair : pairs) {
    all.insert(pair.certificate);
    all.insert(pair.key);
  }
  if (!ticket_key_file.empty()) all.insert(ticket_key_file);
  return all;
}

ServerTlsFiles server_tls_files(const Config& config) {
  ServerTlsFiles files{.pairs = config.server_tls.pairs,
                       .ticket_key_file = config.server_tls.ticket_key_file,
                       .client_cas = {}};
  for (const auto* listeners : {&config.listen.tls, &config.listen.https}) {
    for (const ListenAddress& listener : *listeners) {
      if (!listener.client_ca.empty()) files.client_cas.insert(listener.client_ca);
    }
  }
  return files;
}

std::vector<std::string> exposed_keys(const ServerTls& tls) {
  std::vector<std::string> keys;
  for (const CertificatePair& pair : tls.files.pairs) {
    const auto stamp = tls.stamps.find(pair.key);
    if (stamp != tls.stamps.end() && stamp->second.exposed) keys.push_back(pair.key);
  }
  return keys;
}

void keep_in_use(const ServerTls& running, ServerTls& loaded) {
  if (loaded.credentials == nullptr && running.credentials != nullptr) {
    loaded.credentials = running.credentials;
    loaded.files.pairs = running.files.pairs;
    loaded.files.ticket_key_file = running.files.ticket_key_file;
  }
  for (const auto& [path, trust] : running.client_trust) {
    loaded.client_trust.emplace(path, trust);
    loaded.files.client_cas.insert(path);
  }
  loaded.stamps.insert(running.stamps.begin(), running.stamps.end());
  // Only of what is still read, so that they can be compared with what is looked at.
  const std::set<std::string> read = loaded.files.paths();
  std::erase_if(loaded.stamps, [&read](const auto& entry) { return !read.contains(entry.first); });
}

}  // namespace sotto
