#include "app/options.h"

#include <algorithm>
#include <cassert>

#include "app/duration.h"
#include "app/octets.h"
#include "app/text.h"

namespace sotto {

namespace {

using Kind = Option::Kind;

std::string number_text(const Option& option, std::int64_t number) {
  if (option.kind == Kind::duration) return duration_text(std::chrono::milliseconds{number});
  if (option.kind == Kind::octets) return octets_text(number);
  return std::to_string(number);
}

}  // namespace

std::string_view Option::section() const {
  const std::size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view Option::leaf() const {
  return key.substr(section().empty() ? 0 : section().size() + 1);
}

std::string Option::type_text() const {
  switch (kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "integer";
    case Kind::integer_or_auto:
      return "integer or \"auto\"";
    case Kind::duration:
      return "duration";
    case Kind::choice:
      return "string";
    case Kind::text:
      return std::string(element);
    case Kind::octets:
      return "size";
    case Kind::file:
      return "file name";
    case Kind::file_or_auto:
      return "file name or \"auto\"";
    case Kind::list:
      return "list of " + std::string(element);
    case Kind::list_or_tables:
      return "list of " + std::string(element) + " or tables";
    case Kind::text_or_list:
      return std::string(element) + " or list of " + std::string(element);
  }
  assert(false && "a kind without a name");
  return {};
}

std::string Option::range_text() const {
  if (kind == Kind::choice) {
    return "one of " + joined({choices.begin(), choices.end()});
  }
  if (minimum == maximum) return {};
  return "from " + number_text(*this, minimum) + " to " + number_text(*this, maximum) +
         (or_zero ? ", or " + number_text(*this, 0) : std::string());
}

const Option* find_option(std::string_view key) {
  const auto found = std::find_if(options().begin(), options().end(),
                                  [&](const Option& option) { return option.key == key; });
  return found == options().end() ? nullptr : &*found;
}

bool check_range(const Option& option, const Value& value, std::string_view offending,
                 std::vector<ConfigError>& errors) {
  if (option.kind == Kind::choice) {
    const auto& choices = option.choices;
    if (std::find(choices.begin(), choices.end(), value.text) != choices.end()) return true;
    const std::string_view meant =
        nearest(lower_case(value.text), {choices.begin(), choices.end()});
    std::string suggestion = "write " + option.range_text();
    if (!meant.empty()) suggestion = "did you mean \"" + std::string(meant) + "\"? " + suggestion;
    const std::string name(option.of_listener() ? option.leaf() : option.key);
    errors.push_back({value.place, complaint("unknown " + name, offending, suggestion)});
    return false;
  }
  if (option.minimum == option.maximum) return true;
  if (option.or_zero && value.number == 0) return true;
  if (value.number >= option.minimum && value.number <= option.maximum) return true;
  errors.push_back({value.place, complaint(std::string(option.leaf()) + " is out of range",
                                           offending, "it must be " + option.range_text())});
  return false;
}

}  // namespace sotto
