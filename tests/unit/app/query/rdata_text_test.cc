#include "app/query/rdata_text.h"

#include <gtest/gtest.h>
#include <vector>

#include "app/query/record_types.h"

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;

// Octets of a string literal, NULs included.
template <std::size_t size>
Octets octets(const char (&text)[size]) {
  return {text, text + size - 1};
}

std::string shown(const char* type, const Octets& data) {
  return rdata_text(*type_from_text(type), data, 0);
}

TEST(RdataText, IsThePresentationFormat) {
  struct Case {
    const char* type;
    Octets data;
    const char* text;
  };
  const Case cases[] = {
      {"A", {192, 0, 2, 1}, "192.0.2.1"},
      {"AAAA", octets("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), "2001:db8::1"},
      {"AAAA", octets("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"), "::ffff:192.0.2.1"},
      {"NS",
       octets("\x02ns\x07"
              "example\0"),
       "ns.example."},
      {"CNAME", octets("\0"), "."},
      {"SOA",
       octets("\x01"
              "a\0\x01"
              "b\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05"),
       "a. b. 1 2 3 4 5"},
      {"MX", octets("\0\x0a\x02mx\0"), "10 mx."},
      {"TXT",
       octets("\x03"
              "abc\x05q\"\\\n\xff"),
       "\"abc\" \"q\\\"\\\\\\010\\255\""},
      {"TXT", octets("\0"), "\"\""},
      {"SRV", octets("\0\x01\0\x02\x13\xc4\x03www\0"), "1 2 5060 www."},
      {"NAPTR",
       octets("\0\x01\0\x02\x01u\x03"
              "E2U\x02!!\0"),
       "1 2 \"u\" \"E2U\" \"!!\" ."},
      {"CAA", octets("\0\x05issueca.example"), "0 issue \"ca.example\""},
      {"URI", octets("\0\x01\0\x02http:"), "1 2 \"http:\""},
      {"DS", octets("\x12\x34\x08\x02\xab\xcd"), "4660 8 2 abcd"},
      {"DNSKEY",
       octets("\x01\x01\x03\x08"
              "foo"),
       "257 3 8 Zm9v"},
      {"RRSIG", octets("\0\x01\x08\x02\0\0\x0e\x10\x5f\x5e\x10\0\x5e\0\0\0\x30\x39\0sig"),
       "A 8 2 3600 20200913122640 20191222234504 12345 . c2ln"},
      {"NSEC",
       octets("\x01"
              "b\0\0\x06\x40\x01\0\0\0\x03\x01\x01\x40"),
       "b. A MX RRSIG NSEC CAA"},
      {"NSEC3", octets("\x01\0\0\x0a\x02\xaa\xbb\x05hello\0\x01\x40"), "1 0 10 aabb D1IMOR3F A"},
      {"NSEC3PARAM", octets("\x01\0\0\0\0"), "1 0 0 -"},
      {"TLSA", octets("\x03\x01\x01\xfe"), "3 1 1 fe"},
      {"SVCB", octets("\0\0\x03svc\0"), "0 svc."},
      {"HTTPS",
       octets("\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\x01\xbb\0\x04\0\x04\xc0\0\x02\x01"
              "\0\x06\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xff\xfe\0\x01x"),
       "1 . alpn=\"h2,h3\" port=443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 key65534=\"x\""},
      {"HTTPS", octets("\0\x01\0\0\0\0\x04\0\x01\0\x03\0\x02\0\0"),
       "1 . mandatory=alpn,port no-default-alpn"},
  };
  for (const Case& c : cases) EXPECT_EQ(shown(c.type, c.data), c.text) << c.type;
}

TEST(RdataText, WhatDoesNotFitItsTypeIsPrintedAsOctets) {
  struct Case {
    const char* reason;
    const char* type;
    Octets data;
    const char* text;
  };
  const Case cases[] = {
      {"an unknown type", "TYPE65280", {0, 1, 0xC0, 0x0C}, "\\# 4 0001c00c"},
      {"an unknown type without data", "TYPE65280", {}, "\\# 0"},
      {"too short", "A", {1, 2, 3}, "\\# 3 010203"},
      {"too long", "A", {1, 2, 3, 4, 5}, "\\# 5 0102030405"},
      {"empty", "A", {}, "\\# 0"},
      {"empty where strings belong", "TXT", {}, "\\# 0"},
      {"a string that ends early", "TXT", {5, 'a'}, "\\# 2 0561"},
      {"a name that points at itself", "NS", {0xC0, 0}, "\\# 2 c000"},
      {"a tag that would need quotes", "CAA",
       octets("\0\x02"
              "a b"),
       "\\# 5 0002612062"},
      {"a bitmap window without octets", "NSEC", {0, 0, 0}, "\\# 3 000000"},
      {"a bitmap window of 33 octets", "NSEC", Octets(36, 33), nullptr},
      {"a parameter that ends early", "HTTPS", {0, 1, 0, 0, 1, 0, 9, 1}, "\\# 8 0001000001000901"},
      {"half an address hint", "HTTPS", {0, 1, 0, 0, 4, 0, 2, 1, 1}, "\\# 9 000100000400020101"},
  };
  for (const Case& c : cases) {
    const std::string text = shown(c.type, c.data);
    if (c.text != nullptr) {
      EXPECT_EQ(text, c.text) << c.reason;
    } else {
      EXPECT_TRUE(text.starts_with("\\# ")) << c.reason;
    }
  }
}

// Whatever the octets, what is printed is one line of printable ASCII.
TEST(RdataText, IsAlwaysPrintable) {
  std::uint32_t state = 1;
  for (std::uint16_t type = 0; type < 300; ++type) {
    for (int round = 0; round < 50; ++round) {
      Octets data;
      for (int i = 0; i < round; ++i) {
        state = state * 1'664'525U + 1'013'904'223U;
        data.push_back(static_cast<std::uint8_t>(state >> 24U));
      }
      for (const char character : rdata_text(type, data, 0)) {
        ASSERT_TRUE(character >= ' ' && character <= '~') << type;
      }
    }
  }
}

}  // namespace
}  // namespace sotto
