// The setters and printers of the option table that take more than a line.
// Test: tests/unit/app/config_reader_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"

namespace sotto {

void set_listen_udp(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_listen_tcp(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_upstream_url(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_upstream_pins(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_upstream_ca_file(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_policy_allow(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_cache_ttl_min(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_cache_ttl_max(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_cache_negative_ttl_max(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_cache_file(Draft& draft, UpstreamConfig& upstream, const Value& value);
void set_control_socket(Draft& draft, UpstreamConfig& upstream, const Value& value);

std::string listen_text(const std::vector<ListenAddress>& addresses);
std::string url_text(const UpstreamConfig& upstream);
std::string pins_text(const UpstreamConfig& upstream);
std::string allow_text(const Config& config);

// text: one of the option's choices.
LogLevel log_level_of(std::string_view text);

}  // namespace sotto
