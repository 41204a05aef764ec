// The one table of options. The TOML reader, its range checks, `sotto check`, --help, the man pages
// and the manual's chapter all read it. Test: tests/unit/app/options_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/config_error.h"

namespace sotto {

struct Text {
  std::string text;
  Place place;
};

// One setting as it was given, its type already right.
struct Value {
  Place place;
  std::int64_t number = 0;  // boolean, integer ("auto": 0), octets, duration in milliseconds
  std::string text;         // choice, text, file ("auto" as it is)
  std::vector<Text> list;
};

// What the rows of [[upstream]] and [[group]] set and print: one such section, or the defaults of
// upstreams.
struct Entry {
  UpstreamConfig upstream;
  GroupConfig group;

  // Where these were given, for checks that see the whole configuration.
  struct Places {
    Place section;
    Place url;
    Place name;
    Place select;
    std::vector<Text> sources;
  } places;
};

// A configuration in the making: settings land in it in the order of their precedence.
struct Draft {
  Config config;
  Entry upstream_default;
  std::vector<Text> bootstrap;  // URLs
  Place admin;                  // where it was given
  bool udp_given = false;
  bool tcp_given = false;
  Place listen_off;                       // where the file switched a transport off
  Place cache_ttl_min;                    // where it was given
  std::map<std::string, Place> ca_files;  // where each was named
  std::vector<ConfigError> errors;
};

struct Option {
  enum class Kind : std::uint8_t {
    boolean,
    integer,
    integer_or_auto,
    duration,
    octets,
    choice,
    text,
    file,
    file_or_auto,
    list,          // of strings
    text_or_list,  // one string stands for a list of one
  };
  enum class Applies : std::uint8_t { on_reload, on_restart };

  // "tcp.idle_timeout". One of "upstream." may stand in [[upstream]] and in [upstream_default], one
  // of "group." in [[group]].
  std::string_view key;
  Kind kind;
  std::int64_t minimum = 0;  // of integers, octets, and of durations in milliseconds
  std::int64_t maximum = 0;
  bool or_zero = false;       // 0 is allowed below the minimum too
  bool in_list_only = false;  // of "upstream.": not in [upstream_default]
  std::string_view standard;  // the default, as TOML
  Applies applies = Applies::on_reload;
  std::span<const std::string_view> choices = {};
  std::string_view element = {};  // what a text is or a list holds, "ADDR:PORT"
  std::string_view flag = {};     // --upstream; repeated for a list
  std::string_view environment = {};
  // value is of this kind and in range. entry: the one being set, or the default. Complaints go to
  // draft.errors.
  void (*set)(Draft& draft, Entry& entry, const Value& value);
  // The value in effect, as TOML.
  std::string (*print)(const Config& config, const Entry& entry);
  std::string_view help;  // sentences

  bool of_upstream() const { return key.starts_with("upstream."); }
  bool of_list() const { return of_upstream() || key.starts_with("group."); }
  std::string_view section() const;  // "tcp", "cache.stale", or empty
  std::string_view leaf() const;     // "idle_timeout"
  std::string type_text() const;     // "duration", "list of ADDR:PORT"
  std::string range_text() const;    // "from 1 to 256", "one of debug, info"; may be empty
};

// In the order in which they are printed: sections stay together, those without one come first.
std::span<const Option> options();

// By its key, or null.
const Option* find_option(std::string_view key);

// Adds an error unless value.number is in range. offending: as written.
bool check_range(const Option& option, const Value& value, std::string_view offending,
                 std::vector<ConfigError>& errors);

}  // namespace sotto
