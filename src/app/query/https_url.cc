#include "app/query/https_url.h"

#include <algorithm>
#include <charconv>

#include "app/text.h"

namespace sotto {

namespace {

constexpr std::string_view scheme = "https://";
constexpr std::string_view standard_path = "/dns-query";  // RFC 8484 knows none; all use this

tl::unexpected<UrlFault> fault(std::string what) {
  return tl::unexpected<UrlFault>(
      {std::move(what), "write https://ADDRESS[:PORT][/PATH][#AUTH-NAME] or https://HOST[/PATH]"});
}

bool is_path(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char character) { return character > ' ' && character < 0x7F; });
}

// "dns.example:8443"; false if it is not a host.
bool read_host(std::string_view text, HttpsTarget& target) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  target.host = lower_case(text.substr(0, colon));
  const bool numeric = target.host.find_first_not_of("0123456789.") == std::string::npos;
  if (!is_host_name(target.host) || numeric) return false;
  if (colon == text.size()) return true;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), target.endpoint.port);
  return error == std::errc{} && end == port.data() + port.size();
}

std::string authority_of(const HttpsTarget& target) {
  const IpAddress& ip = target.endpoint.ip;
  std::string text = target.host.empty() ? target.auth_name : target.host;
  if (text.empty()) text = ip.is_v4() ? ip.text() : "[" + ip.text() + "]";
  if (target.endpoint.port != https_port) text += ":" + std::to_string(target.endpoint.port);
  return text;
}

}  // namespace

tl::expected<HttpsTarget, UrlFault> parse_https(std::string_view text) {
  std::string_view rest = text.substr(std::min(scheme.size(), text.size()));
  HttpsTarget target;
  const std::size_t hash = std::min(rest.find('#'), rest.size());
  if (hash < rest.size()) {
    target.auth_name = lower_case(rest.substr(hash + 1));
    if (!is_host_name(target.auth_name) || IpAddress::parse(target.auth_name)) {
      return fault("the authentication name behind # is not a host name");
    }
    rest = rest.substr(0, hash);
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  target.path = slash < rest.size() ? rest.substr(slash) : standard_path;
  if (target.path.find('{') != std::string::npos) {
    return fault("a path is not a URI template, leave {...} out");
  }
  if (target.path.find('?') != std::string::npos) {
    return fault("a path has no query, leave ?... out");
  }
  if (!is_path(target.path)) return fault("the path has characters that need encoding");
  rest = rest.substr(0, slash);
  target.endpoint.port = https_port;
  const auto ip = IpAddress::parse(rest);
  if (ip && !ip->is_v4()) return fault("an IPv6 address needs brackets");
  if (ip) {
    target.endpoint.ip = *ip;
  } else if (const auto parsed = SocketAddress::parse(rest, https_port)) {
    target.endpoint = *parsed;
  } else if (!read_host(rest, target)) {
    return fault("neither a host nor an IP address and port");
  }
  if (target.endpoint.port == 0) return fault("port 0 cannot be connected to");
  if (!target.host.empty() && target.auth_name.empty()) target.auth_name = target.host;
  target.authority = authority_of(target);
  return target;
}

}  // namespace sotto
