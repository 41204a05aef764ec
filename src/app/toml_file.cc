#include "app/toml_file.h"

#include <algorithm>
#include <toml++/toml.h>

#include "app/duration.h"
#include "app/octets.h"
#include "app/text.h"

namespace sotto {

namespace {

using Kind = Option::Kind;

constexpr std::string_view upstream_default_section = "upstream_default";
constexpr std::string_view upstream_section = "upstream";
constexpr std::string_view group_section = "group";
// Not a section of the file, but what the keys of a table in a list of [listen] stand under.
constexpr std::string_view listener_section = "listener";

// Those of which a file may have several.
bool is_list(std::string_view section) {
  return section == upstream_section || section == group_section;
}

// One walk over a table of the file.
class Walk {
 public:
  Walk(const std::string& path, Draft& draft) : path_(path), draft_(draft) {}

  Place place(const toml::source_region& region) const {
    return {path_, region.begin.line, region.begin.column};
  }

  void top(const toml::table& table);
  // section: "tcp", "cache.stale", "upstream_default", "upstream" or "group".
  void entries(const toml::table& table, std::string_view section, Entry& entry);
  // An entry for each [[section]] of the file, on top of standard. must: the key that each must
  // have, with what to say without it.
  struct Must {
    std::string_view key;
    std::string_view otherwise;
  };
  std::vector<Entry> list(const toml::table& file, std::string_view section, const Entry& standard,
                          const Must& must);

 private:
  // name: "tcp", "cache.stale".
  void section(std::string_view name, const toml::node& node);
  void top_entry(const toml::key& key, const toml::node& node);
  void setting(const Option& option, const toml::node& node, Entry& entry);
  bool convert(const Option& option, const toml::node& node, Value& value, std::string& offending);
  bool convert_octets(const Option& option, const toml::node& node, Value& value);
  bool convert_duration(const Option& option, const toml::node& node, Value& value);
  bool convert_list(const Option& option, const toml::node& node, Value& value);
  void listener(const toml::table& table, Value& value);
  void wrong_type(const Option& option, const toml::node& node);
  void unknown(const toml::key& key, std::string_view section);
  void error(const toml::node& node, std::string message) {
    draft_.errors.push_back({place(node.source()), std::move(message)});
  }

  const std::string& path_;
  Draft& draft_;
};

// A scalar as it could have been written; other nodes by what they are.
std::string node_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_array()) return "[...]";
  if (node.is_table()) return "{...}";
  std::ostringstream out;
  node.visit([&](const auto& concrete) {
    if constexpr (toml::is_value<decltype(concrete)>) out << concrete;
  });
  return out.str();
}

// Its text without blanks around it; number counts from 1.
std::string_view line_of(std::string_view text, std::size_t number) {
  for (std::size_t line = 1; line < number; ++line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    if (text.empty()) break;
  }
  return trimmed(text.substr(0, text.find('\n')));
}

// The sections of the file that hold settings, without those of which there may be several.
bool is_section(std::string_view name) {
  if (name == upstream_default_section) return true;
  return !is_list(name) && name != listener_section &&
         std::any_of(options().begin(), options().end(),
                     [&](const Option& o) { return o.section() == name; });
}

// "cache" for "cache.stale".
std::string_view parent_of(std::string_view section) {
  const std::size_t dot = section.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : section.substr(0, dot);
}

bool allowed_in(const Option& option, std::string_view section) {
  if (section == upstream_default_section) {
    return option.of_upstream() && !option.in_list_only;
  }
  return option.section() == section;
}

void add_once(std::vector<std::string_view>& names, std::string_view name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// The names that may stand in this section; at the top, the sections too.
std::vector<std::string_view> known_names(std::string_view section) {
  std::vector<std::string_view> names;
  for (const Option& option : options()) {
    if (allowed_in(option, section)) add_once(names, option.leaf());
    if (option.section().empty() || parent_of(option.section()) != section) continue;
    if (option.of_listener()) continue;
    if (option.of_upstream()) add_once(names, upstream_default_section);
    add_once(names, option.section().substr(section.empty() ? 0 : section.size() + 1));
  }
  return names;
}

// Where this key is at home, when it stands in the wrong section.
std::string_view home_of(std::string_view leaf) {
  for (const Option& option : options()) {
    if (option.leaf() == leaf && !option.of_listener()) return option.key;
  }
  return {};
}

constexpr const char* octets_words =
    "write a whole number and KiB, MiB, GiB or TiB, such as \"128MiB\", or a number of octets";

std::string expected_text(const Option& option) {
  switch (option.kind) {
    case Kind::duration:
      return "write a number with its unit, such as " +
             toml_string(duration_text(std::chrono::milliseconds{option.maximum}));
    case Kind::list:
      return "write a list of strings: [\"" + std::string(option.element) + "\", ...]";
    case Kind::list_or_tables:
      return "write a list of strings, or tables: [\"" + std::string(option.element) +
             "\", { address = \"" + std::string(option.element) + "\", ... }]";
    case Kind::text_or_list:
      return "write a string or a list of strings";
    case Kind::octets:
      return octets_words;
    case Kind::choice:
    case Kind::text:
    case Kind::file:
    case Kind::file_or_auto:
      return "write a string";
    case Kind::boolean:
      return "write true or false";
    case Kind::integer:
    case Kind::integer_or_auto:
      return "write an " + option.type_text() + " " + option.range_text();
  }
  return {};
}

void Walk::wrong_type(const Option& option, const toml::node& node) {
  error(node, complaint(std::string(option.leaf()) + " has the wrong type", node_text(node),
                        expected_text(option)));
}

void Walk::unknown(const toml::key& key, std::string_view section) {
  const std::vector<std::string_view> names = known_names(section);
  const std::string_view meant = nearest(lower_case(key.str()), names);
  const std::string_view home = home_of(key.str());
  std::string suggestion;
  if (!meant.empty()) {
    suggestion = "did you mean \"" + std::string(meant) + "\"?";
  } else if (!home.empty()) {
    suggestion = "did you mean \"" + std::string(home) + "\"?";
  } else {
    suggestion = "known here: " + joined(names);
  }
  draft_.errors.push_back({place(key.source()), complaint("unknown key", key.str(), suggestion)});
}

bool Walk::convert_duration(const Option& option, const toml::node& node, Value& value) {
  if (node.is_number()) {
    error(node, complaint(std::string(option.leaf()) + " needs a unit", node_text(node),
                          "write \"" + node_text(node) + "s\" or \"" + node_text(node) + "ms\""));
    return false;
  }
  const auto* text = node.as_string();
  if (text == nullptr) {
    wrong_type(option, node);
    return false;
  }
  const auto duration = parse_duration(text->get());
  if (!duration) {
    error(node, complaint(std::string(option.leaf()) + " is not a duration", text->get(),
                          "write a number and ms, s, m, h or d, such as \"4.5s\" or \"250ms\""));
    return false;
  }
  value.number = duration->count();
  return true;
}

bool Walk::convert_octets(const Option& option, const toml::node& node, Value& value) {
  if (const auto* number = node.as_integer()) {
    value.number = number->get();
    return true;
  }
  const auto* text = node.as_string();
  if (text == nullptr) {
    wrong_type(option, node);
    return false;
  }
  const auto octets = parse_octets(text->get());
  if (!octets) {
    error(node,
          complaint(std::string(option.leaf()) + " is not a size", text->get(), octets_words));
    return false;
  }
  value.number = *octets;
  return true;
}

bool Walk::convert_list(const Option& option, const toml::node& node, Value& value) {
  if (const auto* text = node.as_string(); text != nullptr && option.kind == Kind::text_or_list) {
    value.list.push_back({text->get(), place(node.source())});
    return true;
  }
  const auto* array = node.as_array();
  if (array == nullptr) {
    wrong_type(option, node);
    return false;
  }
  bool good = true;
  for (const toml::node& element : *array) {
    if (const auto* text = element.as_string()) {
      value.list.push_back({text->get(), place(element.source())});
    } else if (element.is_table() && option.kind == Kind::list_or_tables) {
      listener(*element.as_table(), value);
    } else {
      wrong_type(option, element);
      good = false;
    }
  }
  return good;
}

// One that is wrong is left out: its errors are enough.
void Walk::listener(const toml::table& table, Value& value) {
  const std::size_t errors = draft_.errors.size();
  Entry entry;
  entry.places.section = place(table.source());
  entries(table, listener_section, entry);
  for (const auto& [key, node] : table) {
    entry.places.keys.push_back({std::string(key.str()), place(key.source())});
  }
  if (table.get("address") == nullptr) {
    error(table, "this listener has no address; write address = \"ADDR:PORT\"");
  }
  if (draft_.errors.size() != errors) return;
  const std::size_t at = value.list.size();
  value.list.push_back(entry.places.address);
  value.tables.emplace(at, std::move(entry));
}

// True if node is of the option's type.
bool Walk::convert(const Option& option, const toml::node& node, Value& value,
                   std::string& offending) {
  offending = node_text(node);
  switch (option.kind) {
    case Kind::boolean:
      if (const auto* flag = node.as_boolean()) {
        value.number = flag->get() ? 1 : 0;
        return true;
      }
      break;
    case Kind::integer_or_auto:
      if (node.is_string() && offending == "auto") return true;
      [[fallthrough]];
    case Kind::integer:
      if (const auto* number = node.as_integer()) {
        value.number = number->get();
        return true;
      }
      break;
    case Kind::duration:
      return convert_duration(option, node, value);
    case Kind::octets:
      return convert_octets(option, node, value);
    case Kind::choice:
    case Kind::text:
    case Kind::file:
    case Kind::file_or_auto:
      if (const auto* text = node.as_string()) {
        value.text = text->get();
        return true;
      }
      break;
    case Kind::list:
    case Kind::list_or_tables:
    case Kind::text_or_list:
      return convert_list(option, node, value);
  }
  wrong_type(option, node);
  return false;
}

void Walk::setting(const Option& option, const toml::node& node, Entry& entry) {
  Value value;
  value.place = place(node.source());
  std::string offending;
  if (!convert(option, node, value, offending)) return;
  // "auto" is the one value outside the range of its option.
  const bool is_auto = option.kind == Kind::integer_or_auto && node.is_string();
  if (!is_auto && !check_range(option, value, offending, draft_.errors)) return;
  option.set(draft_, entry, value);
}

void Walk::entries(const toml::table& table, std::string_view section, Entry& entry) {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    const std::string inner = std::string(section) + "." + std::string(name);
    if (is_section(inner) && parent_of(inner) == section) {
      this->section(inner, node);
      continue;
    }
    const auto found = std::find_if(options().begin(), options().end(), [&](const Option& option) {
      return allowed_in(option, section) && option.leaf() == name;
    });
    if (found == options().end()) {
      unknown(key, section);
    } else {
      setting(*found, node, entry);
    }
  }
}

void Walk::section(std::string_view name, const toml::node& node) {
  if (const auto* table = node.as_table()) return entries(*table, name, draft_.upstream_default);
  error(node, complaint(std::string(name) + " must be a section", node_text(node),
                        "write [" + std::string(name) + "] and its keys below"));
}

void Walk::top_entry(const toml::key& key, const toml::node& node) {
  const std::string_view name = key.str();
  if (is_list(name)) return;  // read_upstreams() and read_groups() have their turn later
  if (is_section(name) && parent_of(name).empty()) return section(name, node);
  const Option* option = find_option(name);
  if (option == nullptr || !option->section().empty()) return unknown(key, {});
  setting(*option, node, draft_.upstream_default);
}

void Walk::top(const toml::table& table) {
  for (const auto& [key, node] : table) top_entry(key, node);
}

std::vector<Entry> Walk::list(const toml::table& file, std::string_view section,
                              const Entry& standard, const Must& must) {
  std::vector<Entry> entries;
  const toml::node* node = file.get(section);
  if (node == nullptr) return entries;
  const std::string name(section);
  const std::string what = name + " must be a list of sections";
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    error(*node, complaint(what, node_text(*node), "write [[" + name + "]] with two brackets"));
    return entries;
  }
  if (array->empty()) {
    error(*node, "no " + name + " is left; write [[" + name + "]] and " +
                     std::string(must.otherwise) + ", or leave it out for the default");
  }
  for (const toml::node& element : *array) {
    const toml::table* table = element.as_table();
    if (table == nullptr) {
      error(element, complaint(what, node_text(element),
                               "write [[" + name + "]] and " + std::string(must.key) + " = ..."));
      continue;
    }
    Entry& entry = entries.emplace_back(standard);
    entry.places = {};
    entry.places.section = place(element.source());
    this->entries(*table, section, entry);
    if (table->get(must.key) == nullptr) {
      error(element, "this " + name + " has no " + std::string(must.key) + "; write " +
                         std::string(must.otherwise));
    }
  }
  return entries;
}

}  // namespace

struct TomlFile::Table {
  toml::table table;
};

TomlFile::TomlFile(const ConfigText& file, std::vector<ConfigError>& errors)
    : table_(std::make_unique<Table>()), path_(file.path) {
  try {
    table_->table = toml::parse(file.text, file.path);
  } catch (const toml::parse_error& failed) {
    const auto& begin = failed.source().begin;
    errors.push_back({{path_, begin.line, begin.column},
                      complaint("not valid TOML: " + escaped(failed.description()),
                                line_of(file.text, begin.line))});
  }
}

TomlFile::~TomlFile() = default;

void TomlFile::apply_settings(Draft& draft) const {
  Walk(path_, draft).top(table_->table);
}

std::vector<Entry> TomlFile::read_upstreams(Draft& draft) const {
  return Walk(path_, draft)
      .list(table_->table, upstream_section, draft.upstream_default,
            {"url", "url = \"tls://ADDRESS#AUTH-NAME\" or a provider's name"});
}

std::vector<Entry> TomlFile::read_groups(Draft& draft) const {
  return Walk(path_, draft).list(table_->table, group_section, {}, {"name", "name = \"NAME\""});
}

}  // namespace sotto
