#include "app/config_reader.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "app/duration.h"
#include "app/option_setters.h"
#include "app/text.h"
#include "app/toml_file.h"
#include "app/upstream_reader.h"

namespace sotto {

namespace {

// Neither root nor mDNS's 5353 is needed for these.
constexpr std::array<std::string_view, 2> listen_standard{"127.0.0.1:5053", "[::1]:5053"};
constexpr std::string_view admin_standard = "127.0.0.1:9053";

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

// What flags or the environment say about upstreams; nothing if they are silent.
std::optional<std::vector<Entry>> overriding_upstreams(Draft& draft,
                                                       std::span<const Override> overrides) {
  std::optional<std::vector<Entry>> upstreams;
  for (const Override& given : overrides) {
    if (given.flag != upstream_flag) continue;
    std::vector<Text> urls;
    urls.reserve(given.texts.size());
    for (const std::string& text : given.texts) urls.push_back({text, Place{given.source}});
    upstreams = upstreams_of(draft, urls);
  }
  return upstreams;
}

ListenAddress default_address(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  assert(address.has_value());
  return {*address, true};
}

// A transport that nothing was said about follows the other one, or listens on the default.
void finish_listen(Draft& draft) {
  auto& udp = draft.config.listen.udp;
  auto& tcp = draft.config.listen.tcp;
  std::vector<ListenAddress> standard;
  for (const std::string_view text : listen_standard) standard.push_back(default_address(text));
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
  const auto& admin = draft.config.listen.admin;
  if (!admin || admin->is_default) return;
  for (const ListenAddress& other : tcp) {
    if (!collide(other.address, admin->address)) continue;
    complain(draft, {admin->address.text(), draft.admin},
             "this address and one of listen.tcp collide",
             "\"" + other.address.text() + "\" answers DNS; give admin another port");
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
  draft.config.listen.admin = default_address(admin_standard);
  const ConfigText nothing;
  const TomlFile toml(file ? *file : nothing, draft.errors);
  toml.apply_settings(draft);
  for (const Override& given : overrides) apply_override(draft, given);
  finish_listen(draft);
  check_ttls(draft);

  GivenUpstreams given{toml.read_upstreams(draft), toml.read_groups(draft)};
  finish_upstreams(draft, std::move(given), overriding_upstreams(draft, overrides));
  tidy_errors(draft.errors);
  return draft;
}

}  // namespace sotto
