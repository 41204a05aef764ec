#include "frontend/doh_request.h"

#include <gtest/gtest.h>
#include <string>

#include "dns/constants.h"

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;
using Fault = HttpRequestView::Fault;

std::span<const std::uint8_t> octets_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// --- base64url ----------------------------------------------------------------------------------

struct Base64Case {
  const char* reason;
  std::string_view text;
  std::optional<std::string> octets;
};

TEST(DecodeBase64url, TakesWhatRfc4648SaysAndNothingElse) {
  const Base64Case cases[] = {
      {"nothing", "", ""},
      {"RFC 4648 §10", "Zg", "f"},
      {"RFC 4648 §10", "Zm8", "fo"},
      {"RFC 4648 §10", "Zm9v", "foo"},
      {"RFC 4648 §10", "Zm9vYg", "foob"},
      {"RFC 4648 §10", "Zm9vYmE", "fooba"},
      {"RFC 4648 §10", "Zm9vYmFy", "foobar"},
      {"the two digits of its own", "-_-_", std::string("\xFB\xFF\xBF")},
      {"padding", "Zg==", std::nullopt},
      {"padding", "Zm8=", std::nullopt},
      {"the other alphabet", "+/+/", std::nullopt},
      {"a lone digit is no octet", "Z", std::nullopt},
      {"a lone digit behind an octet", "Zm9vZ", std::nullopt},
      {"bits that would be lost, of two digits", "Zh", std::nullopt},
      {"bits that would be lost, of three", "Zm9", std::nullopt},
      {"a line break", "Zm9v\n", std::nullopt},
      {"a space", "Zm 9v", std::nullopt},
      {"percent-encoding", "Zm9v%3D", std::nullopt},
      {"beyond ASCII", "Zm9\xFF", std::nullopt},
      {"NUL", std::string_view("Zm9\0", 4), std::nullopt},
  };
  for (const Base64Case& one : cases) {
    Octets octets{1, 2, 3};
    const bool decoded = decode_base64url(one.text, octets);
    EXPECT_EQ(decoded, one.octets.has_value()) << one.reason << ": " << one.text;
    if (!decoded || !one.octets) continue;
    EXPECT_EQ(std::string(octets.begin(), octets.end()), *one.octets) << one.reason;
  }
}

TEST(DecodeBase64url, RefusesWhatIsNoDigitWhereverItStands) {
  for (std::size_t length = 2; length <= 11; ++length) {
    if (length % 4 == 1) continue;
    std::vector<std::uint8_t> octets;
    const std::string text(length, 'A');
    ASSERT_TRUE(decode_base64url(text, octets)) << length;
    EXPECT_EQ(octets, Octets(length * 6 / 8, 0)) << length;
    for (std::size_t at = 0; at < length; ++at) {
      for (const char no_digit : {'=', '\0', '\x80', '\xFF', '.'}) {
        std::string other = text;
        other[at] = no_digit;
        EXPECT_FALSE(decode_base64url(other, octets)) << length << ", at " << at;
      }
    }
  }
}

// --- requests -----------------------------------------------------------------------------------

// The example of RFC 8484 §4.1.1: www.example.com A, ID 0.
constexpr std::string_view rfc_query = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";

Octets rfc_message() {
  Octets octets;
  EXPECT_TRUE(decode_base64url(rfc_query, octets));
  return octets;
}

struct RequestCase {
  const char* reason;
  std::string method;
  std::string path;
  std::string content_type;
  std::string body;
  std::uint16_t status;
};

TEST(ReadDohRequest, GivesTheMessageOrSaysWhy) {
  const Octets message = rfc_message();
  const std::string query(message.begin(), message.end());
  const std::string get = "/dns-query?dns=" + std::string(rfc_query);
  const std::string dns = "application/dns-message";
  const RequestCase cases[] = {
      {"RFC 8484 §4.1.1", "GET", get, "", "", 200},
      {"as GET (RFC 9110 §9.3.2)", "HEAD", get, "", "", 200},
      {"RFC 8484 §4.1", "POST", "/dns-query", dns, query, 200},
      {"other parameters before", "GET", "/dns-query?a=b&dns=" + std::string(rfc_query), "", "",
       200},
      {"and behind", "GET", get + "&ct=application/dns-message&", "", "", 200},
      {"empty parameters", "GET", "/dns-query?&&dns=" + std::string(rfc_query), "", "", 200},
      {"parameters of a POST", "POST", "/dns-query?x=y", dns, query, 200},
      {"case of the media type", "POST", "/dns-query", "Application/DNS-Message", query, 200},
      {"parameters of the media type", "POST", "/dns-query", dns + " ; charset=x", query, 200},
      {"without dns", "GET", "/dns-query", "", "", 400},
      {"without dns, but others", "GET", "/dns-query?dnss=AAAA&xdns=AAAA&dns", "", "", 400},
      {"the name is lower case", "GET", "/dns-query?DNS=" + std::string(rfc_query), "", "", 400},
      {"two", "GET", get + "&dns=" + std::string(rfc_query), "", "", 400},
      {"empty", "GET", "/dns-query?dns=", "", "", 400},
      {"padding (RFC 8484 §6)", "GET", "/dns-query?dns=AAABAAABAAAAAAAAAA==", "", "", 400},
      {"11 octets", "GET", "/dns-query?dns=AAABAAABAAAAAAA", "", "", 400},
      {"11 octets", "POST", "/dns-query", dns, query.substr(0, 11), 400},
      {"12 octets are the forwarder's to judge", "POST", "/dns-query", dns, query.substr(0, 12),
       200},
      {"no body", "POST", "/dns-query", dns, "", 400},
      {"escapes of letters (RFC 3986 §2.3)", "GET",
       "/dns-query?dns=%41" + std::string(rfc_query.substr(1)), "", "", 200},
      {"of all there is to escape", "GET",
       "/%64ns%2Dquer%79?%64n%73=AAA%42AAA%42AAAAAAAAA3%64%33dwdleGFtcGxlA2NvbQAAAQA%42", "", "",
       200},
      {"an escaped delimiter is none", "GET", "/dns-query%3Fdns=" + std::string(rfc_query), "", "",
       404},
      {"nor does it become one of base64", "GET", get + "%3D", "", "", 400},
      {"no escape", "GET", get + "%", "", "", 400},
      {"half of one", "GET", get + "%4", "", "", 400},
      {"with a digit that is none", "GET", get + "%4G", "", "", 400},
      {"another path", "GET", "/?dns=" + std::string(rfc_query), "", "", 404},
      {"a path below", "POST", "/dns-query/", dns, query, 404},
      {"a path that begins so", "POST", "/dns-queryx", dns, query, 404},
      {"of OPTIONS", "OPTIONS", "*", "", "", 404},
      {"another path, another method", "PUT", "/", dns, query, 404},
      {"another method", "PUT", "/dns-query", dns, query, 405},
      {"methods have their case", "get", get, "", "", 405},
      {"another media type", "POST", "/dns-query", "application/dns-json", query, 415},
      {"one that begins so", "POST", "/dns-query", dns + "x", query, 415},
      {"no media type", "POST", "/dns-query", "", query, 415},
  };
  for (const RequestCase& one : cases) {
    Octets decoded;
    const auto answer = read_doh_request({.stream = 1,
                                          .fault = Fault::none,
                                          .method = one.method,
                                          .path = one.path,
                                          .content_type = one.content_type,
                                          .body = octets_of(one.body)},
                                         "/dns-query", decoded);
    EXPECT_EQ(answer.status, one.status) << one.reason;
    EXPECT_EQ(answer.words.empty(), one.status == 200) << one.reason;
    if (one.status != 200 || one.reason == std::string_view(cases[11].reason)) continue;
    EXPECT_EQ(std::string(answer.message.begin(), answer.message.end()),
              query.substr(0, answer.message.size()))
        << one.reason;
  }
}

TEST(ReadDohRequest, SaysWhatIsTooLarge) {
  Octets decoded;
  HttpRequestView request{.stream = 1,
                          .fault = Fault::body_too_large,
                          .method = "POST",
                          .path = "/",
                          .content_type = {},
                          .body = {}};
  EXPECT_EQ(read_doh_request(request, "/dns-query", decoded).status, 413);
  request.fault = Fault::header_list_too_large;
  EXPECT_EQ(read_doh_request(request, "/dns-query", decoded).status, 431);
}

// --- freshness ----------------------------------------------------------------------------------

struct FreshnessCase {
  const char* reason;
  Octets response;
  std::optional<std::uint32_t> seconds;
};

Octets put16(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
}

Octets put32(std::uint32_t value) {
  Octets octets = put16(value >> 16U);
  const Octets low = put16(value & 0xFFFFU);
  octets.insert(octets.end(), low.begin(), low.end());
  return octets;
}

Octets joined(std::initializer_list<Octets> parts) {
  Octets all;
  for (const Octets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Octets record(std::uint16_t type, std::uint32_t ttl, const Octets& rdata) {
  return joined({{0xC0, 0x0C},
                 put16(type),
                 {0, 1},
                 put32(ttl),
                 put16(static_cast<std::uint32_t>(rdata.size())),
                 rdata});
}

Octets address(std::uint32_t ttl) {
  return record(rtype::a, ttl, {192, 0, 2, 1});
}

Octets soa(std::uint32_t ttl, std::uint32_t minimum) {
  return record(rtype::soa, ttl,
                joined({{0, 0}, put32(1), put32(2), put32(3), put32(4), put32(minimum)}));
}

Octets opt() {
  return {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
}

Octets response(std::uint16_t code, unsigned answers, unsigned authorities, unsigned additionals,
                std::initializer_list<Octets> records) {
  return joined({{0, 0, 0x81, static_cast<std::uint8_t>(0x80U | code), 0, 1},
                 put16(answers),
                 put16(authorities),
                 put16(additionals),
                 {3, 'w', 'w', 'w', 2, 'd', 'e', 0, 0, 1, 0, 1},
                 joined(records)});
}

TEST(Freshness, IsWhatTheRecordsAllow) {
  const FreshnessCase cases[] = {
      {"one answer", response(0, 1, 0, 0, {address(300)}), 300},
      {"the lowest of the answers", response(0, 3, 0, 0, {address(300), address(20), address(60)}),
       20},
      {"neither of the others nor OPT",
       response(0, 1, 1, 2, {address(300), address(5), address(7), opt()}), 300},
      {"TTL 0", response(0, 1, 0, 0, {address(0)}), 0},
      {"the largest TTL", response(0, 1, 0, 0, {address(0x7FFFFFFF)}), 0x7FFFFFFF},
      {"negative: MINIMUM of the SOA", response(3, 0, 1, 1, {soa(900, 60), opt()}), 60},
      {"negative: TTL of the SOA", response(0, 0, 1, 0, {soa(30, 60)}), 30},
      {"an alias that leads nowhere", response(3, 1, 1, 0, {address(300), soa(900, 60)}), 60},
      {"negative without a SOA", response(0, 0, 0, 1, {opt()}), std::nullopt},
      {"SERVFAIL", response(2, 0, 0, 1, {opt()}), std::nullopt},
      {"REFUSED", response(5, 0, 0, 0, {}), std::nullopt},
      {"FORMERR without a question", {0, 0, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0}, std::nullopt},
  };
  for (const FreshnessCase& one : cases)
    EXPECT_EQ(freshness(one.response), one.seconds) << one.reason;
}

}  // namespace
}  // namespace sotto
