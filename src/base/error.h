// The one shape of expected failures: a value or an Error. Broken code is an assert instead.
#pragma once

#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

namespace sotto {

enum class Error : std::uint8_t {
  // dns/
  short_message,     // ends inside a field
  bad_name,          // a label, length or pointer RFC 1035 §4.1.4 does not allow
  bad_count,         // section counts do not match what the message holds
  bad_rdata,         // RDLENGTH and content of a record disagree
  bad_edns,          // two OPT records, OPT in the wrong place, malformed options
  bad_text,          // a name or number in text form that cannot be read
  not_a_response,    // QR=0, or another opcode
  message_too_long,  // beyond what the transport can carry
  // cache/
  foreign_file,   // begins like no file of ours
  other_version,  // of our own format
  future_date,    // written later than now
  damaged_file,   // cut short, or a checksum does not match
  // transport/
  bad_address,
  bad_certificate_file,
  bad_pin,
};

// What went wrong, in words for a log line; static storage.
std::string_view describe(Error error);

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(error);
}

}  // namespace sotto
