#include "app/query/query_options.h"

#include <gtest/gtest.h>
#include <map>

namespace sotto {
namespace {

using Transport = QueryServer::Transport;

Environment environment(std::map<std::string, std::string> variables) {
  return [kept = std::move(variables)](const char* name) {
    const auto found = kept.find(name);
    return found == kept.end() ? nullptr : found->second.c_str();
  };
}

QueryWords words_of(std::vector<std::string> words) {
  QueryWords query;
  query.words = std::move(words);
  return query;
}

TEST(QueryOptions, ServersComeInManyForms) {
  struct Case {
    const char* text;
    Transport transport;
    const char* endpoint;
    const char* auth_name;
  };
  const Case cases[] = {
      {"127.0.0.1", Transport::udp, "127.0.0.1:53", ""},
      {"127.0.0.1:5053", Transport::udp, "127.0.0.1:5053", ""},
      {"::1", Transport::udp, "[::1]:53", ""},
      {"[::1]:5053", Transport::udp, "[::1]:5053", ""},
      {"udp://192.0.2.1", Transport::udp, "192.0.2.1:53", ""},
      {"TCP://192.0.2.1:54", Transport::tcp, "192.0.2.1:54", ""},
      {"tls://192.0.2.1", Transport::tls, "192.0.2.1:853", ""},
      {"tls://192.0.2.1:54#dns.example", Transport::tls, "192.0.2.1:54", "dns.example"},
      {"https://192.0.2.1:54/q#dns.example", Transport::https, "192.0.2.1:54", "dns.example"},
      {"quad9", Transport::tls, "9.9.9.9:853", "dns.quad9.net"},
      {"0.0.0.0:54", Transport::udp, "127.0.0.1:54", ""},
  };
  for (const Case& c : cases) {
    const auto server = parse_query_server(c.text);
    ASSERT_TRUE(server.has_value()) << server.error();
    EXPECT_EQ(server->transport, c.transport) << c.text;
    EXPECT_EQ(server->endpoint.text(), c.endpoint);
    EXPECT_EQ(server->auth_name, c.auth_name);
  }
}

TEST(QueryOptions, WordsAreServerNameAndType) {
  QueryWords words = words_of({"example", "@192.0.2.1", "type65280"});
  words.tcp = true;
  words.qclass = "ch";
  words.timeout = "250ms";
  const auto options = parse_query_words(words, environment({{"SOTTO_CA_FILE", "/ca.pem"}}));
  ASSERT_TRUE(options.has_value()) << options.error();
  EXPECT_EQ(name_to_text(options->qname.octets()), "example.");
  EXPECT_EQ(options->qtype, 65'280);
  EXPECT_EQ(options->qclass, 3);
  EXPECT_EQ(options->server.transport, Transport::tcp);
  EXPECT_EQ(options->timeout.count(), 250);
  EXPECT_EQ(options->ca_file, "/ca.pem");
  EXPECT_TRUE(options->recursion_desired && options->edns);
}

TEST(QueryOptions, WithoutAServerTheOneOfThisHostIsAsked) {
  const QueryWords words = words_of({"example"});
  const auto endpoint = [&](const Environment& variables) {
    return parse_query_words(words, variables)->server.endpoint.text();
  };
  EXPECT_EQ(endpoint(environment({})), "127.0.0.1:5053");
  EXPECT_EQ(endpoint(environment({{"SOTTO_LISTEN", "0.0.0.0:53,[::]:53"}})), "127.0.0.1:53");
  EXPECT_EQ(endpoint(environment({{"SOTTO_LISTEN", "[::]:53"}})), "[::1]:53");
  EXPECT_EQ(endpoint(environment({{"SOTTO_LISTEN", "nonsense"}})), "127.0.0.1:5053");
}

TEST(QueryOptions, FaultsAreOneLine) {
  struct Case {
    std::vector<std::string> words;
    const char* fault;
  };
  const Case cases[] = {
      {{}, "which NAME? sotto query [@SERVER] NAME [TYPE]"},
      {{"a..b"}, "not a domain name (\"a..b\")"},
      {{"a", "b"}, "unknown type (\"b\"); write a name or TYPE65280"},
      {{"a", "A", "c"}, "one argument too many (\"c\")"},
      {{"@tls://dns.google", "a"},
       "@SERVER: the name of a host is not looked up here (\"tls://dns.google\"); write "
       "@tls://ADDRESS#dns.google"},
      {{"@host\x1b", "a"},
       "@SERVER: not an address (\"host\\x1b\"); write @127.0.0.1, @[::1]:5053, "
       "@tcp://ADDRESS[:PORT], @tls://ADDRESS[:PORT][#AUTH-NAME] or @https://HOST[/PATH]"},
      {{"@https://a b", "a"},
       "@SERVER: neither a host nor an IP address and port (\"https://a b\"); write "
       "https://ADDRESS[:PORT][/PATH][#AUTH-NAME] or https://HOST[/PATH]"},
      {{"@ftp://127.0.0.1", "a"},
       "@SERVER: unknown transport (\"ftp://127.0.0.1\"); write @127.0.0.1, @[::1]:5053, "
       "@tcp://ADDRESS[:PORT], @tls://ADDRESS[:PORT][#AUTH-NAME] or @https://HOST[/PATH]"},
  };
  for (const Case& c : cases) {
    const auto options = parse_query_words(words_of(c.words), environment({}));
    ASSERT_FALSE(options.has_value()) << c.fault;
    EXPECT_EQ(options.error(), c.fault);
  }
  QueryWords words = words_of({"a"});
  words.get = true;
  EXPECT_EQ(parse_query_words(words, environment({})).error(),
            "--get is for HTTPS, write @https://HOST[/PATH]");
  words.get = false;
  for (const char* text : {"5", "0s", "61s", "soon"}) {
    words.timeout = text;
    EXPECT_EQ(parse_query_words(words, environment({})).error(),
              "--timeout: not a duration from 1ms to 60s (\"" + std::string(text) +
                  "\"); write 500ms or 2s");
  }
}

}  // namespace
}  // namespace sotto
