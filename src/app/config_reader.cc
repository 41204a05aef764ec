#include "app/config_reader.h"

#include <algorithm>
#include <cassert>

#include "app/duration.h"
#include "app/listen_reader.h"
#include "app/option_setters.h"
#include "app/text.h"
#include "app/toml_file.h"
#include "app/upstream_reader.h"

namespace sotto {

namespace {

constexpr std::string_view upstream_flag = "--upstream";

Value value_of(const Option& option, const Override& given) {
  Value value;
  value.place.source = given.source;
  for (const std::string& text : given.texts) value.list.push_back({text, value.place});
  const bool single = option.kind == Option::Kind::choice || option.kind == Option::Kind::file;
  assert((single || option.takes_list()) && "no flag takes another kind of value");
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

Draft read_config(const std::optional<ConfigText>& file, std::span<const Override> overrides,
                  const std::vector<InheritedAddress>& inherited) {
  Draft draft;
  draft.config.policy.allow = local_networks();
  begin_listen(draft);
  const ConfigText nothing;
  const TomlFile toml(file ? *file : nothing, draft.errors);
  toml.apply_settings(draft);
  for (const Override& given : overrides) apply_override(draft, given);
  finish_listen(draft, inherited);
  finish_server_tls(draft);
  check_ttls(draft);

  GivenUpstreams given{toml.read_upstreams(draft), toml.read_groups(draft)};
  finish_upstreams(draft, std::move(given), overriding_upstreams(draft, overrides));
  tidy_errors(draft.errors);
  return draft;
}

}  // namespace sotto
