#include "dns/name.h"

#include <cstring>

#include "dns/flat_name.h"
#include "dns/letter_case.h"

namespace sotto {

bool operator==(const Name& left, const Name& right) {
  return left.length_ == right.length_ &&
         std::memcmp(left.octets_.data(), right.octets_.data(), left.length_) == 0;
}

Result<Name> read_name(WireReader& reader, std::span<const std::uint8_t> message) {
  if (!reader.ok()) return fail(Error::short_message);
  FlatName flat;
  const auto behind = expand_name(message, reader.position(), flat);
  if (!behind) {
    reader.set_failed();
    return fail(behind.error());
  }
  reader.take(*behind - reader.position());
  return Name::from_octets(flat.view());
}

bool equal_names(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right) {
  return left.size() == right.size() && equal_folded(left.data(), right.data(), left.size());
}

bool is_at_or_below(std::span<const std::uint8_t> name, std::span<const std::uint8_t> parent) {
  std::size_t at = 0;
  while (name.size() - at > parent.size()) {
    at += std::size_t{name[at]} + 1;
    if (at > name.size()) return false;
  }
  return equal_names(name.subspan(at), parent);
}

}  // namespace sotto
