#include "app/query/record_types.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "app/text.h"

namespace sotto {

namespace {

struct Type {
  std::uint16_t number;
  std::string_view name;
  std::string_view layout;
};

constexpr auto types = std::to_array<Type>({
    {1, "A", "a"},
    {2, "NS", "n"},
    {3, "MD", "n"},
    {4, "MF", "n"},
    {5, "CNAME", "n"},
    {6, "SOA", "nn44444"},
    {7, "MB", "n"},
    {8, "MG", "n"},
    {9, "MR", "n"},
    {10, "NULL", ""},
    {11, "WKS", ""},
    {12, "PTR", "n"},
    {13, "HINFO", "ss"},
    {14, "MINFO", "nn"},
    {15, "MX", "2n"},
    {16, "TXT", "S"},
    {17, "RP", "nn"},
    {18, "AFSDB", "2n"},
    {24, "SIG", ""},
    {25, "KEY", "211b"},
    {28, "AAAA", "q"},
    {29, "LOC", ""},
    {33, "SRV", "222n"},
    {35, "NAPTR", "22sssn"},
    {36, "KX", "2n"},
    {37, "CERT", "221b"},
    {39, "DNAME", "n"},
    {41, "OPT", ""},
    {42, "APL", ""},
    {43, "DS", "211x"},
    {44, "SSHFP", "11x"},
    {45, "IPSECKEY", ""},
    {46, "RRSIG", "T114tt2nb"},
    {47, "NSEC", "nB"},
    {48, "DNSKEY", "211b"},
    {49, "DHCID", "b"},
    {50, "NSEC3", "112HhB"},
    {51, "NSEC3PARAM", "112H"},
    {52, "TLSA", "111x"},
    {53, "SMIMEA", "111x"},
    {55, "HIP", ""},
    {59, "CDS", "211x"},
    {60, "CDNSKEY", "211b"},
    {61, "OPENPGPKEY", "b"},
    {62, "CSYNC", "42B"},
    {63, "ZONEMD", "411x"},
    {64, "SVCB", "2np"},
    {65, "HTTPS", "2np"},
    {66, "DSYNC", ""},
    {99, "SPF", "S"},
    {108, "EUI48", ""},
    {109, "EUI64", ""},
    {128, "NXNAME", ""},
    {249, "TKEY", ""},
    {250, "TSIG", ""},
    {251, "IXFR", ""},
    {252, "AXFR", ""},
    {253, "MAILB", ""},
    {254, "MAILA", ""},
    {255, "ANY", ""},
    {256, "URI", "22v"},
    {257, "CAA", "1gv"},
    {258, "AVC", "S"},
    {261, "RESINFO", "S"},
    {32768, "TA", ""},
    {32769, "DLV", "211x"},
});

struct Code {
  std::uint16_t number;
  std::string_view name;
};

constexpr auto classes =
    std::to_array<Code>({{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}});

constexpr auto rcodes = std::to_array<Code>({
    {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
    {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
    {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
});

// RFC 8914 §5.2 and what was registered later; the index is the code.
constexpr auto ede_names = std::to_array<std::string_view>({
    "Other Error",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDomain Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
    "Signature Expired before Valid",
    "Too Early",
    "Unsupported NSEC3 Iterations Value",
    "Unable to conform to policy",
    "Synthesized",
    "Invalid Query Type",
});

template <class Rows>
auto find_number(const Rows& rows, std::uint16_t number) {
  return std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.number == number; });
}

template <class Rows>
std::string text_of(const Rows& rows, std::uint16_t number, std::string_view generic) {
  const auto found = find_number(rows, number);
  if (found != rows.end()) return std::string(found->name);
  return std::string(generic) + std::to_string(number);
}

template <class Rows>
std::optional<std::uint16_t> number_of(const Rows& rows, std::string_view text,
                                       std::string_view generic) {
  const std::string wanted = lower_case(text);
  for (const auto& row : rows) {
    if (lower_case(row.name) == wanted) return row.number;
  }
  if (!wanted.starts_with(lower_case(generic))) return std::nullopt;
  std::uint16_t number = 0;
  const char* begin = wanted.data() + generic.size();
  const char* end = wanted.data() + wanted.size();
  const auto parsed = std::from_chars(begin, end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

std::string type_text(std::uint16_t type) {
  return text_of(types, type, "TYPE");
}

std::optional<std::uint16_t> type_from_text(std::string_view text) {
  return number_of(types, text, "TYPE");
}

std::string class_text(std::uint16_t qclass) {
  return text_of(classes, qclass, "CLASS");
}

std::optional<std::uint16_t> class_from_text(std::string_view text) {
  return number_of(classes, text, "CLASS");
}

std::string rcode_text(std::uint16_t rcode) {
  return text_of(rcodes, rcode, "RCODE");
}

std::string_view ede_name(std::uint16_t code) {
  return code < ede_names.size() ? ede_names[code] : std::string_view{};
}

std::string_view rdata_layout_text(std::uint16_t type) {
  const auto found = find_number(types, type);
  return found == types.end() ? std::string_view{} : found->layout;
}

}  // namespace sotto
