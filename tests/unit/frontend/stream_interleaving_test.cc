// Queries, responses and ends in hundreds of random orders: each query is taken once and answered
// once, in whatever order, until one of both ends the connection.
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "test_dot_client.h"

namespace sotto::test {
namespace {

class Interleaving {
 public:
  explicit Interleaving(unsigned seed) : random_(seed) {
    pair_.connect(piece());
    std::generate_n(std::back_inserter(steps_), 150, [this] { return below(100); });
  }

  void run() {
    for (const std::size_t step : steps_) {
      take_step(step);
      if (pair_.connection.phase() == StreamConnection::Phase::failed) return check_broken();
    }
    finish();
  }

 private:
  void take_step(std::size_t step) {
    if (step < 35) {
      ask();
    } else if (step < 60) {
      pair_.to_connection(piece());
    } else if (step < 85) {
      respond();
    } else if (step < 97) {
      pair_.to_client();
    } else if (step < 98) {
      client_closed_ = true;
      pair_.client->close();
    } else if (step < 99) {
      break_off();
    } else {
      pair_.connection.stop();
      stopped_ = true;
    }
    EXPECT_EQ(pair_.connection.waiting(), pair_.queries.size() - answered_);
  }

  void ask() {
    if (client_closed_) return;
    Octets query(4 + below(300), static_cast<std::uint8_t>(asked_));
    query[0] = static_cast<std::uint8_t>(asked_ >> 8U);
    query[1] = static_cast<std::uint8_t>(asked_);
    ++asked_;
    pair_.client->write(framed(query));
  }

  // To any of those that wait, or none to it.
  void respond() {
    if (pair_.connection.waiting() == 0) return;
    std::size_t at = below(pair_.queries.size());
    while (done_[at]) at = (at + 1) % pair_.queries.size();
    done_[at] = true;
    ++answered_;
    if (below(10) == 0) {
      pair_.connection.drop(0);
      return;
    }
    Octets response = pair_.queries[at];
    response.push_back(0xEE);
    responses_.push_back(response);
    pair_.connection.respond(0, response);
  }

  void break_off() {
    if (below(2) == 0) {
      pair_.connection.end_input();
      client_closed_ = true;
    } else {
      pair_.feed(Octets(30, 0x17));  // no record anybody encrypted
    }
  }

  void check_received() {
    const auto received = cut(pair_.received);
    ASSERT_LE(received.size(), responses_.size());
    for (std::size_t at = 0; at < received.size(); ++at) EXPECT_EQ(received[at], responses_[at]);
    for (std::size_t at = 0; at < pair_.queries.size(); ++at) {
      EXPECT_EQ(pair_.queries[at][0] * 256U + pair_.queries[at][1], at) << "in order, each once";
    }
  }

  void check_broken() {
    EXPECT_FALSE(pair_.connection.next());
    EXPECT_FALSE(pair_.connection.reads());
    EXPECT_TRUE(pair_.connection.done());
    check_received();
  }

  void finish() {
    pair_.client->close();
    pair_.settle(piece());
    pair_.connection.end_input();
    while (pair_.connection.waiting() > 0) respond();
    pair_.settle(piece());
    EXPECT_TRUE(pair_.connection.done());
    EXPECT_EQ(pair_.connection.unsent(), 0U);
    check_received();
    EXPECT_EQ(cut(pair_.received).size(), responses_.size());
    if (!stopped_ && !client_closed_) {
      EXPECT_EQ(pair_.queries.size(), asked_);
    }
  }

  std::size_t below(std::size_t bound) { return random_() % bound; }
  Cut piece() {
    const std::size_t longest = 1 + below(400);
    return [this, longest](std::size_t waiting) {
      return std::min<std::size_t>(waiting, 1 + below(longest));
    };
  }

  std::mt19937 random_;
  DotPair pair_;
  std::vector<std::size_t> steps_;
  unsigned asked_ = 0;
  std::size_t answered_ = 0;
  bool client_closed_ = false;
  bool stopped_ = false;
  std::map<std::size_t, bool> done_;
  std::vector<Octets> responses_;  // in the order they were given
};

TEST(StreamInterleaving, EachQueryIsAnsweredOnce) {
  const unsigned first = std::random_device{}();
  for (unsigned round = 0; round < 400; ++round) {
    SCOPED_TRACE("seed " + std::to_string(first + round));
    Interleaving(first + round).run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sotto::test
