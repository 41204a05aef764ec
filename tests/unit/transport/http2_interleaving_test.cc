// Requests, responses, resets and windows in random order, the octets in random pieces: each stream
// gets its own response, once, or none. SOTTO_SEED repeats one run.
#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>

#include "http2_client.h"
#include "transport/http2_server.h"

namespace sotto {
namespace {

using test::Http2Client;
using test::Octets;
using test::view_of;

// One run of requests, responses, resets and windows in random order, the octets in random pieces.
class Interleaving {
 public:
  explicit Interleaving(std::uint64_t seed)
      : random_(seed),
        client_({.window = below(2) == 0 ? 65'535U : static_cast<std::uint32_t>(150 + below(300)),
                 .automatic_windows = true}) {}

  void run();

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void step();
  void ask();
  void take();
  void respond();
  void reset();
  void carry(std::size_t most);
  void check_responses(bool at_end);

  static std::string answer_to(std::string_view asked) {
    return std::string(asked) + std::string(asked.size() * 37 % 2'000, '.');
  }

  std::mt19937_64 random_;
  Http2Client client_;
  Http2Server server_;
  Octets up_;    // on their way
  Octets down_;  // likewise
  std::map<std::uint32_t, std::string> asked_;
  std::map<std::uint32_t, bool> reset_;
  std::map<std::uint32_t, std::string> taken_;
  std::size_t count_ = 0;
};

void Interleaving::ask() {
  if (asked_.size() - reset_.size() >= 100 + count_) return;
  const std::string what = "question-" + std::to_string(asked_.size());
  const auto stream =
      below(2) == 0 ? client_.get("/" + what) : client_.post("/" + what, Octets(below(3'000), 'q'));
  asked_[stream] = what;
}

void Interleaving::take() {
  const auto request = server_.next();
  if (!request) return;
  ASSERT_EQ(request->fault, HttpRequestView::Fault::none);
  ASSERT_EQ(request->path, "/" + asked_.at(request->stream));
  ASSERT_TRUE(taken_.emplace(request->stream, request->path).second) << "given twice";
}

void Interleaving::respond() {
  if (taken_.empty()) return;
  auto which = std::next(taken_.begin(), static_cast<std::ptrdiff_t>(below(taken_.size())));
  const auto [stream, asked] = *which;
  taken_.erase(which);
  ++count_;
  if (!server_.waits(stream)) {
    ASSERT_EQ(reset_.count(stream), 1U)
        << "nobody reset stream " << stream << ": " << http2_ending_text(server_.ending());
    return;
  }
  server_.respond(stream, {.status = 200,
                           .content_type = "text/plain",
                           .cache_control = {},
                           .allow = {},
                           .body = view_of(answer_to(asked))});
}

void Interleaving::reset() {
  if (asked_.empty() || reset_.size() > 100) return;
  const auto which = std::next(asked_.begin(), static_cast<std::ptrdiff_t>(below(asked_.size())));
  if (client_.response(which->first).closed) return;
  if (reset_.emplace(which->first, true).second) client_.reset(which->first);
}

void Interleaving::carry(std::size_t most) {
  const Octets up = client_.output();
  up_.insert(up_.end(), up.begin(), up.end());
  OctetQueue down;
  server_.produce(down);
  down_.insert(down_.end(), down.octets().begin(), down.octets().end());
  const auto cut = [&](Octets& octets) {
    const std::size_t count = std::min(octets.size(), most);
    const Octets piece(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(count));
    octets.erase(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(count));
    return piece;
  };
  if (below(2) == 0) {
    server_.receive(cut(up_));
  } else {
    client_.receive(cut(down_));
  }
}

void Interleaving::check_responses(bool at_end) {
  for (const auto& [stream, response] : client_.responses()) {
    const std::string expected = answer_to("/" + asked_.at(stream));
    ASSERT_LE(response.headers, 1U) << "two responses on stream " << stream;
    ASSERT_EQ(response.text(), expected.substr(0, response.body.size())) << "stream " << stream;
    ASSERT_TRUE(!response.ended || response.body.size() == expected.size());
  }
  if (!at_end) return;
  for (const auto& [stream, asked] : asked_) {
    if (reset_.count(stream) != 0) continue;
    ASSERT_TRUE(client_.response(stream).ended) << "no response on stream " << stream;
  }
}

void Interleaving::step() {
  switch (below(10)) {
    case 0:
    case 1:
      return ask();
    case 2:
    case 3:
      return take();
    case 4:
      return respond();
    case 5:
      if (below(3) == 0) reset();
      return;
    case 6:
      if (below(20) == 0) client_.ping();
      if (!asked_.empty() && below(2) == 0) client_.allow(asked_.rbegin()->first, 50);
      return;
    default:
      return carry(below(4) == 0 ? 1 + below(20) : 1 + below(20'000));
  }
}

void Interleaving::run() {
  for (int steps = 0; steps < 1'500; ++steps) {
    step();
    if (testing::Test::HasFatalFailure()) return;
  }
  check_responses(false);
  for (int turn = 0; turn < 4'000; ++turn) {
    if (turn > 20 && server_.streams() == 0 && up_.empty() && down_.empty()) break;
    take();
    respond();
    carry(100'000);
    for (const auto& [stream, asked] : asked_) {
      if (turn == 0 && !client_.response(stream).closed) client_.allow(stream, 3'000);
    }
  }
  ASSERT_EQ(server_.ending(), Http2Ending::none) << http2_ending_text(server_.ending());
  check_responses(true);
  ASSERT_FALSE(client_.confused());
  ASSERT_EQ(server_.streams(), 0U);
  ASSERT_EQ(server_.held(), 0U);
  ASSERT_EQ(server_.request_octets(), 0U);
}

TEST(Http2Interleaving, GivesEachStreamItsOwnResponseWhateverHappens) {
  const char* given = std::getenv("SOTTO_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const std::uint64_t runs = given != nullptr ? 1 : 300;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    SCOPED_TRACE("SOTTO_SEED=" + std::to_string(seed));
    Interleaving(seed).run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace sotto
