// The setters and printers of the option table that take more than a line.
// Test: tests/unit/app/config_reader_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"

namespace sotto {

void set_bootstrap(Draft& draft, Entry& entry, const Value& value);
void set_group_name(Draft& draft, Entry& entry, const Value& value);
void set_upstream_url(Draft& draft, Entry& entry, const Value& value);
void set_upstream_group(Draft& draft, Entry& entry, const Value& value);
void set_upstream_pins(Draft& draft, Entry& entry, const Value& value);
void set_upstream_ca_file(Draft& draft, Entry& entry, const Value& value);
void set_upstream_source(Draft& draft, Entry& entry, const Value& value);
void set_upstream_interface(Draft& draft, Entry& entry, const Value& value);
void set_health_name(Draft& draft, Entry& entry, const Value& value);
void set_policy_allow(Draft& draft, Entry& entry, const Value& value);
void set_cache_ttl_min(Draft& draft, Entry& entry, const Value& value);
void set_cache_ttl_max(Draft& draft, Entry& entry, const Value& value);
void set_cache_negative_ttl_max(Draft& draft, Entry& entry, const Value& value);
void set_cache_file(Draft& draft, Entry& entry, const Value& value);
void set_control_socket(Draft& draft, Entry& entry, const Value& value);

// When everything is set: certificates and keys put together, and whether listeners that need them
// have any.
void finish_server_tls(Draft& draft);

std::string bootstrap_text(const Config& config);
std::string url_text(const UpstreamConfig& upstream);
std::string pins_text(const UpstreamConfig& upstream);
std::string sources_text(const UpstreamConfig& upstream);
std::string networks_text(const std::vector<Network>& networks);

// text: one of the option's choices.
LogLevel log_level_of(std::string_view text);
Selection selection_of(std::string_view text);

// Adds an error about this text.
void complain(Draft& draft, const Text& element, std::string_view what,
              std::string_view suggestion = {});

// Those of the texts that are networks; the others are errors.
std::vector<Network> parse_networks(Draft& draft, const std::vector<Text>& texts);

// Would binding both fail? A wildcard covers every address of its family.
bool collide(const SocketAddress& one, const SocketAddress& other);

// An address of IPv6 that is one on each link, without its link, which no socket takes (RFC 4007).
bool needs_zone(const IpAddress& ip);

// Independent of where sotto is started: a path in the file starts at the file. Empty stays empty.
std::string absolute_path(Draft& draft, const Value& value);

}  // namespace sotto
