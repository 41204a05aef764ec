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

// What the rows of [[upstream]], [[group]] and listeners set and print: one such section or table,
// or the defaults of upstreams.
struct Entry {
  UpstreamConfig upstream;
  GroupConfig group;
  ListenAddress listen;  // all but the address, which is below until it is checked

  // Where these were given, for checks that see the whole configuration.
  struct Places {
    Place section;
    Place url;
    Place name;
    Place select;
    std::vector<Text> urls;
    std::vector<Text> sources;
    Text address;            // of a listener
    std::vector<Text> keys;  // of a listener
  } places;
};

// One setting as it was given, its type already right.
struct Value {
  Place place;
  std::int64_t number = 0;  // boolean, integer ("auto": 0), octets, duration in milliseconds
  std::string text;         // choice, text, file ("auto" as it is)
  std::vector<Text> list;   // strings, and of tables their addresses
  std::map<std::size_t, Entry> tables{};  // which of them are tables
};

// A configuration in the making: settings land in it in the order of their precedence.
struct Draft {
  Config config;
  Entry upstream_default;
  std::vector<Text> bootstrap;  // URLs
  Place admin;                  // where it was given
  // Of each address of the lists of [listen] that were given, by their names.
  std::map<std::string_view, std::vector<Place>> listen_places;
  Place listen_off;                         // where the file switched a transport off
  Place cache_ttl_min;                      // where it was given
  std::map<std::string, Place> ca_files;    // of upstreams: where each was named
  std::map<std::string, Place> client_cas;  // of listeners: where each was named
  // Of server_tls; the other files that load_server_tls() reads are in server_files too.
  std::vector<Text> certificates;
  std::vector<Text> certificate_keys;
  std::map<std::string, Place> server_files;  // where each was named
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
    list,            // of strings
    list_or_tables,  // of strings, or tables in place of some
    text_or_list,    // one string stands for a list of one
  };
  enum class Applies : std::uint8_t { on_reload, on_restart };

  // "tcp.idle_timeout". One of "upstream." may stand in [[upstream]] and in [upstream_default], one
  // of "group." in [[group]], one of "listener." in a table of a list of [listen].
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
  bool of_listener() const { return key.starts_with("listener."); }
  bool of_list() const { return of_upstream() || of_listener() || key.starts_with("group."); }
  bool takes_list() const {
    return kind == Kind::list || kind == Kind::list_or_tables || kind == Kind::text_or_list;
  }
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
