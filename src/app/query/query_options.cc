#include "app/query/query_options.h"

#include <array>
#include <optional>

#include "app/config_error.h"
#include "app/duration.h"
#include "app/providers.h"
#include "app/query/https_url.h"
#include "app/query/record_types.h"
#include "app/text.h"
#include "app/upstream_url.h"

namespace sotto {

namespace {

constexpr std::uint16_t dns_port = 53;
constexpr std::string_view standard_server = "127.0.0.1:5053";  // where sotto listens by default
constexpr std::chrono::milliseconds timeout_max{60'000};

constexpr std::array<QueryFlag, 10> flags{{
    {"--tcp", "", &QueryWords::tcp, nullptr, "Ask over TCP instead of UDP."},
    {"--get", "", &QueryWords::get, nullptr, "Ask over HTTPS by GET instead of POST."},
    {"--dnssec", "", &QueryWords::dnssec, nullptr, "Ask for DNSSEC records (DO)."},
    {"--cd", "", &QueryWords::checking_disabled, nullptr,
     "Ask for an answer that was not validated (CD)."},
    {"--no-rd", "", &QueryWords::no_recursion, nullptr, "Do not ask for recursion (RD=0)."},
    {"--no-edns", "", &QueryWords::no_edns, nullptr, "Send no EDNS."},
    {"--short", "", &QueryWords::brief, nullptr, "Print the data of the answer only."},
    {"--class", "CLASS", nullptr, &QueryWords::qclass, "IN (the default), CH, HS, ANY, CLASS42."},
    {"--ca-file", "FILE", nullptr, &QueryWords::ca_file,
     "Trust these certificate authorities (PEM) instead of the system's. Environment: "
     "SOTTO_CA_FILE."},
    {"--timeout", "DURATION", nullptr, &QueryWords::timeout,
     "Give up after this long, such as 500ms; 5s by default."},
}};

using Failure = tl::unexpected<std::string>;

// The scheme and what is behind it; no scheme is UDP.
std::pair<std::string, std::string_view> split_scheme(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return {"", text};
  return {lower_case(text.substr(0, colon)), text.substr(colon + 3)};
}

// Where this host reaches what listens on the address.
SocketAddress reachable(SocketAddress address) {
  if (!address.ip.is_unspecified()) return address;
  address.ip = *IpAddress::parse(address.ip.is_v4() ? "127.0.0.1" : "::1");
  return address;
}

std::string server_text(const Environment& environment) {
  const char* listen = environment("SOTTO_LISTEN");
  const std::vector<std::string> addresses = split_list(listen == nullptr ? "" : listen);
  if (addresses.empty()) return std::string(standard_server);
  const auto address = SocketAddress::parse(addresses.front());
  return address ? reachable(*address).text() : std::string(standard_server);
}

tl::expected<QueryServer, std::string> parse_https_server(std::string_view text) {
  auto target = parse_https(text);
  if (!target) {
    return Failure("@SERVER: " + complaint(target.error().what, text, target.error().suggestion));
  }
  return QueryServer{
      .transport = QueryServer::Transport::https,
      .endpoint = target->host.empty() ? reachable(target->endpoint) : target->endpoint,
      .auth_name = target->auth_name,
      .host = target->host,
      .authority = target->authority,
      .path = target->path};
}

tl::expected<void, std::string> read_words(const QueryWords& words, std::string& server,
                                           QueryOptions& options) {
  bool name_seen = false;
  bool type_seen = false;
  for (const std::string& word : words.words) {
    if (word.starts_with('@')) {
      server = word.substr(1);
    } else if (!name_seen) {
      const auto name = name_from_text(word);
      if (!name) return Failure(complaint("not a domain name", word));
      options.qname = *name;
      name_seen = true;
    } else if (!type_seen) {
      const auto type = type_from_text(word);
      if (!type) return Failure(complaint("unknown type", word, "write a name or TYPE65280"));
      options.qtype = *type;
      type_seen = true;
    } else {
      return Failure(complaint("one argument too many", word));
    }
  }
  if (!name_seen) return Failure("which NAME? sotto query [@SERVER] NAME [TYPE]");
  return {};
}

tl::expected<void, std::string> read_flags(const QueryWords& words, QueryOptions& options) {
  options.dnssec = words.dnssec;
  options.checking_disabled = words.checking_disabled;
  options.recursion_desired = !words.no_recursion;
  options.edns = !words.no_edns;
  options.brief = words.brief;
  options.get = words.get;
  if (words.no_edns && words.dnssec) return Failure("--dnssec needs EDNS, leave --no-edns out");
  if (!words.qclass.empty()) {
    const auto qclass = class_from_text(words.qclass);
    if (!qclass) return Failure("--class: " + complaint("unknown class", words.qclass));
    options.qclass = *qclass;
  }
  if (!words.timeout.empty()) {
    const auto timeout = parse_duration(words.timeout);
    if (!timeout || timeout->count() == 0 || *timeout > timeout_max) {
      return Failure("--timeout: " + complaint("not a duration from 1ms to 60s", words.timeout,
                                               "write 500ms or 2s"));
    }
    options.timeout = *timeout;
  }
  return {};
}

}  // namespace

std::span<const QueryFlag> query_flags() {
  return flags;
}

tl::expected<QueryServer, std::string> parse_query_server(std::string_view text) {
  const auto [scheme, host] = split_scheme(text);
  if (scheme == "https") return parse_https_server(text);
  if (scheme == "tls" || find_provider(lower_case(text)) != nullptr) {
    const auto target = parse_upstream(text);
    if (!target) {
      return Failure("@SERVER: " + complaint(target.error().what, text, target.error().suggestion));
    }
    if (target->endpoints.empty()) {
      return Failure("@SERVER: " + complaint("the name of a host is not looked up here", text,
                                             "write @tls://ADDRESS#" + target->auth_name));
    }
    return QueryServer{QueryServer::Transport::tls, target->endpoints.front(), target->auth_name};
  }
  const std::string_view forms =
      "write @127.0.0.1, @[::1]:5053, @tcp://ADDRESS[:PORT], @tls://ADDRESS[:PORT][#AUTH-NAME] or "
      "@https://HOST[/PATH]";
  if (!scheme.empty() && scheme != "udp" && scheme != "tcp") {
    return Failure("@SERVER: " + complaint("unknown transport", text, forms));
  }
  SocketAddress endpoint{IpAddress{}, dns_port};
  if (const auto ip = IpAddress::parse(host)) {
    endpoint.ip = *ip;
  } else if (const auto parsed = SocketAddress::parse(host, dns_port)) {
    endpoint = *parsed;
  } else {
    return Failure("@SERVER: " + complaint("not an address", text, forms));
  }
  if (endpoint.port == 0) return Failure("@SERVER: " + complaint("port 0", text, forms));
  const auto transport =
      scheme == "tcp" ? QueryServer::Transport::tcp : QueryServer::Transport::udp;
  return QueryServer{transport, reachable(endpoint), {}};
}

tl::expected<QueryOptions, std::string> parse_query_words(const QueryWords& words,
                                                          const Environment& environment) {
  QueryOptions options;
  std::string server = server_text(environment);
  if (const auto read = read_words(words, server, options); !read) return Failure(read.error());
  if (const auto read = read_flags(words, options); !read) return Failure(read.error());
  auto parsed = parse_query_server(server);
  if (!parsed) return Failure(parsed.error());
  options.server = *parsed;
  if (words.tcp && options.server.transport == QueryServer::Transport::udp) {
    options.server.transport = QueryServer::Transport::tcp;
  }
  if (words.get && options.server.transport != QueryServer::Transport::https) {
    return Failure("--get is for HTTPS, write @https://HOST[/PATH]");
  }
  const char* ca_file = environment("SOTTO_CA_FILE");
  options.ca_file = words.ca_file.empty() && ca_file != nullptr ? ca_file : words.ca_file;
  return options;
}

}  // namespace sotto
