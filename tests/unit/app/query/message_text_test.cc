#include "app/query/message_text.h"

#include <gtest/gtest.h>
#include <vector>

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;

template <std::size_t size>
Octets octets(const char (&text)[size]) {
  return {text, text + size - 1};
}

const Octets answer = octets(
    "\x10\x92\x81\xa0\0\x01\0\x02\0\0\0\x01"
    "\x03www\x07"
    "example\0\0\x05\0\x01"
    "\xc0\x0c\0\x05\0\x01\0\0\x01\x2c\0\x02\xc0\x10"
    "\xc0\x10\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01"
    "\0\0\x29\x04\xd0\x01\0\x80\0\0\x19"
    "\0\x0f\0\x05\0\x16"
    "a\nb\0\x0b\0\x02\0\x64\0\x0c\0\x02\0\0\xff\xff\0\0");

TEST(MessageText, ShowsFlagsEdnsAndRecords) {
  const MessageText shown = message_text(answer);
  EXPECT_EQ(shown.text,
            ";; status: BADVERS, id: 4242, flags: qr rd ra ad\n"
            ";; EDNS: version: 0, udp: 1232, flags: do\n"
            ";; EDNS EDE 22 (No Reachable Authority): \"a\\010b\"\n"
            ";; EDNS keepalive: 10.0s\n"
            ";; EDNS padding: 2 octets\n"
            ";; EDNS option 65535: empty\n"
            ";; QUESTION\n"
            ";www.example.\tIN\tCNAME\n"
            ";; ANSWER\n"
            "www.example.\t300\tIN\tCNAME\texample.\n"
            "example.\t60\tIN\tA\t192.0.2.1\n");
  EXPECT_EQ(shown.answers, "example.\n192.0.2.1\n");
  EXPECT_EQ(shown.rcode, 16) << "the upper eight bits stand in OPT";
  EXPECT_TRUE(shown.whole);
  EXPECT_FALSE(shown.truncated);
}

TEST(MessageText, ReadsEveryMessageThatIsCutShort) {
  for (std::size_t size = 0; size < answer.size(); ++size) {
    const MessageText shown = message_text(std::span(answer).first(size));
    EXPECT_FALSE(shown.whole) << size;
    EXPECT_NE(shown.text.find("malformed"), std::string::npos) << size;
  }
}

TEST(MessageText, EveryOctetChangedStillPrints) {
  for (std::size_t at = 0; at < answer.size(); ++at) {
    for (const int octet : {0x00, 0x01, 0x3F, 0x40, 0x7F, 0xC0, 0xFF}) {
      Octets message = answer;
      message[at] = static_cast<std::uint8_t>(octet);
      for (const char character : message_text(message).text) {
        ASSERT_TRUE((character >= ' ' && character <= '~') || character == '\n' ||
                    character == '\t');
      }
    }
  }
}

TEST(MessageText, CountsThatLieEndTheSection) {
  const MessageText shown =
      message_text(octets("\0\x01\x82\0\0\0\xff\xff\xff\xff\xff\xff\0\0\x10\0\x01\0\0\0\0\0\0"));
  EXPECT_EQ(shown.text,
            ";; status: NOERROR, id: 1, flags: qr tc\n"
            ";; ANSWER\n"
            ".\t0\tIN\tTXT\t\\# 0\n"
            ";; malformed: record 2 of 65535 of this section cannot be read\n");
  EXPECT_TRUE(shown.truncated);
}

TEST(MessageText, OctetsBehindTheLastRecordAreTold) {
  const MessageText shown = message_text(octets("\0\x01\x80\x03\0\0\0\0\0\0\0\0xyz"));
  EXPECT_EQ(shown.text,
            ";; status: NXDOMAIN, id: 1, flags: qr\n;; 3 octets behind the last record\n");
}

}  // namespace
}  // namespace sotto
