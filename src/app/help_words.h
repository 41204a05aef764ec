// Rows that --help and the man pages share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sotto {

struct HelpRow {
  std::string term;  // "--config FILE", "SOTTO_CONFIG", "1"
  std::string text;
};

std::vector<HelpRow> command_rows();
std::vector<HelpRow> config_flag_rows();
std::vector<HelpRow> query_flag_rows();
std::vector<HelpRow> cache_command_rows();
std::vector<HelpRow> cache_flag_rows();
std::vector<HelpRow> environment_rows();
std::vector<HelpRow> signal_rows();
std::vector<HelpRow> exit_code_rows();
std::vector<HelpRow> query_exit_code_rows();
std::vector<HelpRow> example_rows();  // term: the command
std::vector<HelpRow> query_example_rows();
std::vector<HelpRow> cache_exit_code_rows();
std::vector<HelpRow> cache_example_rows();
std::vector<HelpRow> upstreams_flag_rows();
std::vector<HelpRow> upstreams_exit_code_rows();
std::vector<HelpRow> upstreams_example_rows();

inline constexpr std::string_view cache_words_help =
    "Talks to the running sotto through its control socket, which only the user it runs as and "
    "root "
    "may use. Names are written as in a zone file.";

inline constexpr std::string_view upstreams_words_help =
    "Asks the running sotto through its control socket, which only the user it runs as and root "
    "may use. For each upstream: why it is used or not, how long answers take (the median, the "
    "95th and the 99th of a hundred), what was sent and answered, what failed and why; for each of "
    "its addresses the state, the certificate's last day and the connections.";

inline constexpr std::string_view query_words_help =
    "SERVER is an address with or without a port (@127.0.0.1, @[::1]:5053), @tcp://ADDRESS[:PORT], "
    "@tls://ADDRESS[:853][#AUTH-NAME], @https://HOST-OR-ADDRESS[:443][/dns-query][#AUTH-NAME] or "
    "a provider's name (@quad9). The address of a HOST is asked of this host's own resolver. "
    "Without SERVER, the first address of SOTTO_LISTEN is asked, or 127.0.0.1:5053, where sotto "
    "listens by default. TYPE is a name or TYPE65280; A by default.";

}  // namespace sotto
