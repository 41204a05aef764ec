#include "base/error.h"

namespace sotto {

std::string_view describe(Error error) {
  switch (error) {
    case Error::short_message:
      return "the message ends inside a field";
    case Error::bad_name:
      return "malformed domain name";
    case Error::bad_count:
      return "section counts do not match the message";
    case Error::bad_rdata:
      return "malformed record data";
    case Error::bad_edns:
      return "malformed EDNS";
    case Error::bad_text:
      return "unreadable text";
    case Error::not_a_response:
      return "not a response";
    case Error::message_too_long:
      return "the message is too long";
    case Error::foreign_file:
      return "not a file of this program";
    case Error::other_version:
      return "written in another version of the format";
    case Error::future_date:
      return "dated in the future";
    case Error::damaged_file:
      return "damaged or cut short";
    case Error::bad_address:
      return "not an IP address";
    case Error::bad_certificate_file:
      return "no certificate can be read from the file";
    case Error::bad_pin:
      return "not a pin of the form sha256/BASE64";
  }
  return "unknown error";
}

}  // namespace sotto
