// DoH: an HTTP request becomes a DNS message or a status, never both; base64url that is taken is
// the only text of its octets; how long a response may be kept is found in any that is well-formed.
// The first octet chooses; of a request, lines are method, path, content-type, the rest is the
// body.
#include <algorithm>
#include <string>
#include <string_view>

#include "check.h"
#include "dns/answer.h"
#include "dns/query.h"
#include "frontend/doh_request.h"

namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string base64url(std::span<const std::uint8_t> octets) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  for (std::size_t bit = 0; bit < octets.size() * 8; bit += 6) {
    unsigned digit = 0;
    for (std::size_t at = bit; at < bit + 6; ++at) {
      const unsigned octet = at / 8 < octets.size() ? octets[at / 8] : 0;
      digit = digit * 2 + ((octet >> (7 - at % 8)) & 1U);
    }
    text += alphabet[digit];
  }
  return text;
}

void check_base64url(std::string_view text) {
  std::vector<std::uint8_t> octets;
  if (sotto::decode_base64url(text, octets)) SOTTO_CHECK(base64url(octets) == text);
}

void check_request(std::string_view text, sotto::HttpRequestView::Fault fault) {
  sotto::HttpRequestView request{.stream = 1,
                                 .fault = fault,
                                 .method = take_line(text),
                                 .path = take_line(text),
                                 .content_type = take_line(text),
                                 .body = {}};
  request.body = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  std::vector<std::uint8_t> decoded;
  const auto query = sotto::read_doh_request(request, "/dns-query", decoded);
  SOTTO_CHECK((query.status == 200) == (query.message.size() >= 12));
  SOTTO_CHECK((query.status == 200) == query.words.empty());
  SOTTO_CHECK(query.status == 200 || query.message.empty());
  if (query.status != 200) return;
  SOTTO_CHECK(fault == sotto::HttpRequestView::Fault::none);
  SOTTO_CHECK(request.path.starts_with("/dns-query"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 4 == 3) {
    check_base64url(text);
  } else {
    check_request(text, static_cast<sotto::HttpRequestView::Fault>(data[0] % 4));
  }
  return 0;
}
