#include "policy/registrable_name.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <libpsl.h>

#include "dns/constants.h"
#include "dns/name.h"

namespace sotto {
namespace {

// The list's longest rules have six labels; libpsl looks at one label after the other, so that
// names of many would only be expensive.
constexpr std::size_t labels_looked_at = 8;

struct Tail {
  std::span<const std::uint8_t> octets;  // of the name's last labels, the root's zero included
  std::size_t labels = 0;
};

Tail last_labels(std::span<const std::uint8_t> name) {
  std::array<std::uint8_t, labels_looked_at> begins;  // a ring
  std::size_t labels = 0;
  for (std::size_t at = 0; name[at] != 0; at += std::size_t{1} + name[at]) {
    begins[labels++ % labels_looked_at] = static_cast<std::uint8_t>(at);
  }
  if (labels <= labels_looked_at) return {name, labels};
  return {name.subspan(begins[labels % labels_looked_at]), labels_looked_at};
}

// What stands in the list consists of letters, digits and hyphens (A-labels included).
char listed_form(std::uint8_t octet) {
  const std::uint8_t folded = fold_case(octet);
  const bool listed = (folded >= 'a' && folded <= 'z') || (folded >= '0' && folded <= '9');
  return listed || folded == '-' ? static_cast<char>(folded) : '_';
}

}  // namespace

std::span<const std::uint8_t> registrable_name(std::span<const std::uint8_t> qname) {
  assert(!qname.empty() && qname.size() <= name_octets_max && qname.back() == 0);
  const auto [tail, labels] = last_labels(qname);
  if (labels < 2) return qname;
  // The name without its first length and with a dot for every other one, so that each label stands
  // one octet further to the front than on the wire. Whatever octets a label holds, it ends where
  // its length says: a dot, a NUL or anything else that no rule has becomes an underscore.
  std::array<char, name_octets_max> text;
  std::size_t label_end = 1 + std::size_t{tail[0]};
  for (std::size_t at = 1; at < tail.size(); ++at) {
    if (at == label_end) {
      label_end += std::size_t{1} + tail[at];
      text[at - 1] = '.';
    } else {
      text[at - 1] = listed_form(tail[at]);
    }
  }
  text[tail.size() - 2] = '\0';  // the root's
  const char* found = psl_registrable_domain(psl_builtin(), text.data());
  if (found == nullptr) return tail.size() == qname.size() ? qname : tail;
  return tail.subspan(static_cast<std::size_t>(found - text.data()));
}

}  // namespace sotto
