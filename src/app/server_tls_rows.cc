// What encrypted listeners show: certificates, keys, session tickets.
#include <array>
#include <utility>

#include "app/option_rows.h"
#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

using Kind = Option::Kind;

constexpr const char* how_to_get_one =
    "set server_tls.certificate and server_tls.key; for a try, openssl makes a self-signed one: "
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "
    "/CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem";

std::vector<Text> file_list(Draft& draft, const Value& value) {
  std::vector<Text> files;
  for (const Text& element : value.list) {
    Value one;
    one.place = element.place;
    one.text = element.text;
    files.push_back({absolute_path(draft, one), element.place});
    if (!element.text.empty()) continue;
    draft.errors.push_back({element.place, "the name of the file is empty"});
  }
  return files;
}

std::string files_text(const Config& config, std::string CertificatePair::*file) {
  std::vector<std::string> files;
  for (const CertificatePair& pair : config.server_tls.pairs) files.push_back(pair.*file);
  return files.size() == 1 ? toml_string(files.front()) : toml_list(files);
}

constexpr std::array<Option, 3> rows{{
    {.key = "server_tls.certificate",
     .kind = Kind::text_or_list,
     .standard = "[]",
     .element = "file name",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.certificates = file_list(draft, value); },
     .print = [](const Config& config,
                 const Entry&) { return files_text(config, &CertificatePair::certificate); },
     .help = "PEM files of the certificates of listen.tls and listen.https: each holds the "
             "server's own first, then those of its issuers. Of several, the one is shown whose "
             "names fit what the client asks for (SNI), else the first. They are read again when "
             "they change. A relative path in the configuration file starts at that file's "
             "directory."},
    {.key = "server_tls.key",
     .kind = Kind::text_or_list,
     .standard = "[]",
     .element = "file name",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.certificate_keys = file_list(draft, value); },
     .print = [](const Config& config,
                 const Entry&) { return files_text(config, &CertificatePair::key); },
     .help = "PEM files of the private keys, without a passphrase: as many as certificates, in "
             "the same order."},
    {.key = "server_tls.ticket_key_file",
     .kind = Kind::file,
     .standard = "\"\"",
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.server_tls.ticket_key_file = absolute_path(draft, value);
           draft.server_files[draft.config.server_tls.ticket_key_file] = value.place;
         },
     .print = [](const Config& config,
                 const Entry&) { return toml_string(config.server_tls.ticket_key_file); },
     .help = "A file of 64 random octets, that nobody else may read, to seal the session tickets "
             "of clients with: servers that share it resume each other's sessions. It is read "
             "again when it changes, and each client then does one full handshake. \"\" makes a "
             "key at every start."},
}};

}  // namespace

std::span<const Option> server_tls_rows() {
  return rows;
}

// Called when everything is set.
void finish_server_tls(Draft& draft) {
  const std::vector<Text>& certificates = draft.certificates;
  const std::vector<Text>& keys = draft.certificate_keys;
  if (certificates.size() != keys.size()) {
    const Place place = keys.empty() ? certificates.front().place : keys.front().place;
    draft.errors.push_back(
        {place, "server_tls.certificate names " + std::to_string(certificates.size()) +
                    " and server_tls.key " + std::to_string(keys.size()) +
                    " files; each certificate needs its key, in the same order"});
  }
  for (std::size_t i = 0; i < std::min(certificates.size(), keys.size()); ++i) {
    if (certificates[i].text.empty() || keys[i].text.empty()) continue;  // an error by now
    draft.config.server_tls.pairs.push_back({certificates[i].text, keys[i].text});
    draft.server_files[certificates[i].text] = certificates[i].place;
    draft.server_files[keys[i].text] = keys[i].place;
  }
  draft.server_files.insert(draft.client_cas.begin(), draft.client_cas.end());
  if (!certificates.empty() || !keys.empty()) return;
  const Config::Listen& listen = draft.config.listen;
  for (const auto& [name, addresses] :
       {std::pair{"tls", &listen.tls}, std::pair{"https", &listen.https}}) {
    if (addresses->empty()) continue;
    const std::vector<Place>& places = draft.listen_places[name];
    draft.errors.push_back(
        {places.empty() ? Place{std::string("listen.") + name} : places.front(),
         std::string("listen.") + name + " needs a certificate; " + how_to_get_one});
  }
}

}  // namespace sotto
