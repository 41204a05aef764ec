#include "app/config_reader.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "app/duration.h"
#include "app/option_setters.h"
#include "app/providers.h"
#include "app/text.h"
#include "app/toml_file.h"
#include "app/upstream_url.h"

namespace sotto {

namespace {

// Neither root nor mDNS's 5353 is needed for these.
constexpr std::array<std::string_view, 2> listen_standard{"127.0.0.1:5053", "[::1]:5053"};
constexpr std::array<std::string_view, 2> upstreams_standard{"cloudflare", "quad9"};

constexpr std::string_view upstream_flag = "--upstream";

Value value_of(const Option& option, const Override& given) {
  Value value;
  value.place.source = given.source;
  for (const std::string& text : given.texts) value.list.push_back({text, value.place});
  const bool single = option.kind == Option::Kind::choice || option.kind == Option::Kind::file;
  assert((single || option.kind == Option::Kind::list) && "no flag takes another kind of value");
  if (single && !given.texts.empty()) value.text = given.texts.back();
  return value;
}

void apply_override(Draft& draft, const Override& given) {
  for (const Option& option : options()) {
    if (option.flag != given.flag || option.flag == upstream_flag) continue;
    const Value value = value_of(option, given);
    if (option.kind == Option::Kind::file && value.text.empty()) {
      // "--ca-file $UNSET" must not quietly mean the system's store.
      draft.errors.push_back({value.place,
                              "the name of the file is empty; leave it out for the "
                              "system's certificates"});
      continue;
    }
    if (!check_range(option, value, value.text, draft.errors)) continue;
    option.set(draft, draft.upstream_default, value);
  }
}

struct Upstreams {
  std::vector<UpstreamConfig> configs;
  std::vector<Place> places;  // of each
};

// Each URL is an upstream of its own.
Upstreams upstreams_of(Draft& draft, const std::vector<Text>& urls) {
  Upstreams upstreams;
  for (const Text& url : urls) {
    UpstreamConfig upstream = draft.upstream_default;
    set_upstream_url(draft, upstream, Value{.place = url.place, .text = {}, .list = {url}});
    upstreams.configs.push_back(std::move(upstream));
    upstreams.places.push_back(url.place);
  }
  return upstreams;
}

Upstreams overriding_upstreams(Draft& draft, std::span<const Override> overrides,
                               const Upstreams& of_file) {
  Upstreams upstreams = of_file;
  for (const Override& given : overrides) {
    if (given.flag != upstream_flag) continue;
    std::vector<Text> urls;
    urls.reserve(given.texts.size());
    for (const std::string& text : given.texts) urls.push_back({text, Place{given.source}});
    upstreams = upstreams_of(draft, urls);
  }
  if (!upstreams.configs.empty()) return upstreams;
  std::vector<Text> urls;
  urls.reserve(upstreams_standard.size());
  for (const std::string_view name : upstreams_standard) {
    urls.push_back({std::string(name), Place{}});
  }
  return upstreams_of(draft, urls);
}

// The same server twice would be asked twice and count as a second path that it is not.
void check_duplicates(Draft& draft, const Upstreams& upstreams) {
  std::map<std::pair<SocketAddress, std::string>, std::size_t> seen;
  for (std::size_t i = 0; i < upstreams.configs.size(); ++i) {
    const UpstreamConfig& upstream = upstreams.configs[i];
    for (const SocketAddress& endpoint : upstream.endpoints) {
      const auto [first, added] = seen.emplace(std::pair{endpoint, upstream.auth_name}, i);
      if (added) continue;
      const std::string where =
          first->second == i ? "it is listed twice here"
                             : "it is part of \"" + upstreams.configs[first->second].name + "\"";
      draft.errors.push_back(
          {upstreams.places[i],
           complaint("duplicate upstream", upstream_url(endpoint, upstream.auth_name), where)});
      break;
    }
  }
}

// A transport that nothing was said about follows the other one, or listens on the default.
void finish_listen(Draft& draft) {
  auto& udp = draft.config.listen.udp;
  auto& tcp = draft.config.listen.tcp;
  std::vector<ListenAddress> standard;
  for (const std::string_view text : listen_standard) {
    const auto address = SocketAddress::parse(text);
    assert(address.has_value());
    standard.push_back({*address, true});
  }
  if (!draft.udp_given && !draft.tcp_given) {
    udp = tcp = standard;
  } else if (!draft.udp_given) {
    udp = tcp.empty() ? standard : tcp;
  } else if (!draft.tcp_given) {
    tcp = udp.empty() ? standard : udp;
  }
  if (udp.empty() && tcp.empty() && draft.errors.empty()) {
    draft.errors.push_back(
        {draft.listen_off, "udp and tcp are both switched off; give one of them an address"});
  }
}

// A floor above a ceiling leaves no TTL that would be right.
void check_ttls(Draft& draft) {
  const Config::Cache& cache = draft.config.cache;
  const auto check = [&](std::string_view ceiling, std::chrono::seconds ttl) {
    if (cache.ttl_min <= ttl) return;
    const std::string fix = "lower it to at most " + toml_string(duration_text(ttl)) +
                            ", or raise " + std::string(ceiling);
    draft.errors.push_back(
        {draft.cache_ttl_min,
         complaint("ttl_min is above " + std::string(ceiling), duration_text(cache.ttl_min), fix)});
  };
  check("ttl_max", cache.ttl_max);
  const bool negatives_kept = cache.negative_ttl_max.count() > 0;
  if (negatives_kept) check("negative_ttl_max", cache.negative_ttl_max);
}

}  // namespace

Draft read_config(const std::optional<ConfigText>& file, std::span<const Override> overrides) {
  Draft draft;
  draft.config.policy.allow = local_networks();
  const ConfigText nothing;
  const TomlFile toml(file ? *file : nothing, draft.errors);
  toml.apply_settings(draft);
  for (const Override& given : overrides) apply_override(draft, given);
  finish_listen(draft);
  check_ttls(draft);

  Upstreams of_file;
  toml.read_upstreams(draft, of_file.configs, of_file.places);
  Upstreams upstreams = overriding_upstreams(draft, overrides, of_file);
  check_duplicates(draft, upstreams);
  draft.config.upstreams = std::move(upstreams.configs);
  tidy_errors(draft.errors);
  return draft;
}

}  // namespace sotto
