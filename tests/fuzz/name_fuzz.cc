// Names: read_name() agrees with the naive reader, skip_name() with both, and text survives.
#include <algorithm>

#include "check.h"
#include "dns/flat_name.h"
#include "dns/name.h"
#include "naive_message.h"

namespace {

using namespace sotto;

void check_name(std::span<const std::uint8_t> message, std::size_t position) {
  const auto expected = test::naive_name(message, position);
  WireReader reader(message, position);
  const auto name = read_name(reader, message);
  SOTTO_CHECK(name.has_value() == expected.has_value());
  if (!name) return;
  SOTTO_CHECK(reader.position() == expected->end);
  SOTTO_CHECK(skip_name(message, position) == expected->end);
  SOTTO_CHECK(plain_name_octets(name->octets()) == name->octets().size());
  const auto again = name_from_text(name_to_text(name->octets()));
  SOTTO_CHECK(again && *again == *name);
  SOTTO_CHECK(is_at_or_below(name->octets(), name->octets()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> message(data, size);
  for (std::size_t position = 0; position <= std::min<std::size_t>(size, 64); ++position) {
    check_name(message, position);
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = name_from_text(text)) {
    const auto again = name_from_text(name_to_text(name->octets()));
    SOTTO_CHECK(again && *again == *name);
  }
  return 0;
}
