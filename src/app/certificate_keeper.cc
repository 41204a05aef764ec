#include "app/certificate_keeper.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "app/text.h"

namespace sotto {
namespace {

std::int64_t days_left(const ServerCertificate& certificate) {
  return std::chrono::floor<std::chrono::days>(certificate.expires - wall_now()).count();
}

std::string date(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm utc{};
  std::array<char, 32> text{};
  ::gmtime_r(&seconds, &utc);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

bool is_early(const ServerCertificate& certificate) {
  return wall_now() < certificate.begins;
}

std::string names_text(const ServerCertificate& certificate) {
  constexpr std::size_t names_logged_max = 4;
  std::string text;
  for (std::size_t i = 0; i < certificate.dns_names.size(); ++i) {
    if (i == names_logged_max) return text + ", ...";
    text += (i > 0 ? ", " : "") + certificate.dns_names[i];
  }
  return text;
}

bool same_ticket_key(const ServerTls& one, const ServerTls& other) {
  if (one.credentials == nullptr || other.credentials == nullptr) return true;
  return one.credentials->ticket_key().octets() == other.credentials->ticket_key().octets();
}

}  // namespace

std::vector<std::string> certificate_warnings(const ServerTls& tls) {
  std::vector<std::string> warnings;
  for (const std::string& key : exposed_keys(tls)) {
    warnings.push_back("every user of this host may read the private key in " + key +
                       "; chmod 600, or 640 for a group");
  }
  if (tls.credentials == nullptr) return warnings;
  for (const ServerCertificate& certificate : tls.credentials->certificates()) {
    const std::int64_t days = days_left(certificate);
    if (is_early(certificate)) {
      warnings.push_back("clients refuse the certificate in " + certificate.file + " before " +
                         date(certificate.begins) + ", when it begins to be valid");
    } else if (days < CertificateKeeper::warning_days) {
      warnings.push_back("the certificate in " + certificate.file +
                         (days < 0 ? " expired at " : " expires at ") + date(certificate.expires));
    }
  }
  return warnings;
}

void CertificateKeeper::adopt(ServerTls tls, Instant now) {
  take_up(std::move(tls));
  next_look_ = current_.stamps.empty() ? never : now + look_interval;
  tell_expiry(true);
}

void CertificateKeeper::take_up(ServerTls tls) {
  current_ = std::move(tls);
  handled_ = seen_ = current_.stamps;
  days_told_.clear();
  for (const std::string& key : exposed_keys(current_)) {
    log_.warning("server_tls.exposed", "every user of this host may read a private key",
                 {{"file", key}, {"advice", "chmod 600, or 640 for a group"}});
  }
}

std::optional<ServerTls> CertificateKeeper::look(Instant now) {
  next_look_ = now + look_interval;
  tell_expiry(false);
  const FileStamps stamps = look_at(current_.files.paths());
  if (stamps == handled_) return std::nullopt;
  if (stamps != std::exchange(seen_, stamps)) {
    next_look_ = now + settle_interval;
    return std::nullopt;
  }
  handled_ = stamps;
  auto loaded = load_server_tls(current_.files, current_.own_ticket_key);
  if (!loaded) {
    for (const ServerFileFault& fault : loaded.error()) {
      log_.error("server_tls.kept", "a changed file cannot be used; what was read before stays",
                 {{"file", fault.file}, {"reason", fault.what}, {"advice", fault.advice}});
    }
    return std::nullopt;
  }
  const bool same_key = same_ticket_key(current_, *loaded);
  log_.info("server_tls.reloaded", "changed certificates and keys are in use",
            {{"tickets", same_key ? "kept" : "void, as their key is another one"}});
  take_up(*loaded);
  tell_expiry(true);
  return std::move(*loaded);
}

void CertificateKeeper::tell(const ServerCertificate& certificate, std::int64_t days) {
  const std::string names = names_text(certificate);
  const std::string expires = date(certificate.expires);
  const auto write = [&](LogLevel level, LogKind kind, std::string_view message) {
    log_.write(
        level, kind, message,
        {{"file", certificate.file}, {"names", names}, {"expires", expires}, {"days", days}});
  };
  if (is_early(certificate)) {
    log_.error(
        "certificate.early", "clients refuse a certificate that is not valid yet",
        {{"file", certificate.file}, {"names", names}, {"begins", date(certificate.begins)}});
  } else if (days < 0) {
    write(LogLevel::error, "certificate.expired", "clients refuse an expired certificate");
  } else if (days < warning_days) {
    write(LogLevel::warning, "certificate.expires", "a certificate expires soon");
  } else {
    write(LogLevel::info, "certificate.used", "a certificate is in use");
  }
}

// always: also of certificates that are good for long.
void CertificateKeeper::tell_expiry(bool always) {
  if (current_.credentials == nullptr) return;
  for (const ServerCertificate& certificate : current_.credentials->certificates()) {
    const std::int64_t days = days_left(certificate);
    const auto told = days_told_.find(certificate.file);
    if (told != days_told_.end() && told->second == days) continue;  // once a day
    if (days >= warning_days && !is_early(certificate) && !always) continue;
    days_told_[certificate.file] = days;
    tell(certificate, days);
  }
}

}  // namespace sotto
