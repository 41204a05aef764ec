// A forwarder over scripted links and a clock the test turns, and its clients.
#pragma once

#include <array>
#include <gtest/gtest.h>
#include <string_view>
#include <utility>
#include <vector>

#include "../upstream/scripted_link.h"
#include "forwarder/forwarder.h"

namespace sotto {

using Outcome = Forwarder::Outcome;

// A client's query, in wire format.
inline std::vector<std::uint8_t> query(std::string_view name, std::uint16_t id = 0x1234,
                                       std::uint16_t flags = flag::recursion_desired) {
  std::vector<std::uint8_t> message(header_octets);
  store16(message.data(), id);
  store16(message.data() + 2, flags);
  store16(message.data() + 4, 1);
  const Name parsed = *name_from_text(name);
  message.insert(message.end(), parsed.octets().begin(), parsed.octets().end());
  message.insert(message.end(), {0, 1, 0, 1});
  return message;
}

struct Silent final : UpstreamObserver {
  void on_upstream_event(const UpstreamEvent&) override {}
};

class Clients final : public ResponseSink {
 public:
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t) override {
    if (to.connection == gone) return {};
    return buffer_;
  }
  void response_written(const ReplyTo& to, std::size_t octets) override {
    responses.emplace_back(
        to.connection, std::vector<std::uint8_t>(
                           buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(octets)));
  }

  std::uint64_t gone = 0;  // this client has left
  std::vector<std::pair<std::uint64_t, std::vector<std::uint8_t>>> responses;

 private:
  std::array<std::uint8_t, message_octets_max> buffer_{};
};

class ForwarderTest : public testing::Test {
 protected:
  ForwarderTest() {
    UpstreamSpec spec{.name = "upstream", .endpoints = {}};
    spec.endpoints.emplace_back();
    pool_.apply({.groups = {{.name = "default", .upstreams = {spec}}}, .health = {}});
  }

  Outcome ask(const std::vector<std::uint8_t>& message, std::uint64_t client = 1,
              std::array<std::uint8_t, 4> address = {127, 0, 0, 1}) {
    const auto now = forwarder_.answer_now({.address = address}, message, out_);
    response_.assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(now.octets));
    if (now.outcome == Outcome::pending) {
      forwarder_.forward({.sink = &clients_, .path = {}, .connection = client});
    }
    exchanges_.end_turn();
    return now.outcome;
  }
  std::uint16_t rcode() const { return load16(response_.data() + 2) & flag::rcode_mask; }
  LinkScript& ready_link() {
    if (opener_.last().written.empty()) opener_.last().become_ready();
    exchanges_.end_turn();
    return opener_.last();
  }

  Instant now_{std::chrono::seconds{1'000}};
  Random random_{1};
  ScriptedOpener opener_;
  BackoffRegistry backoffs_;
  Silent observer_;
  UpstreamCounters upstream_counters_;
  ForwarderCounters counters_;
  Pool pool_{opener_, backoffs_, observer_, upstream_counters_, random_, now_};
  Exchanges exchanges_{pool_, now_};
  Cache cache_{std::size_t{1} << 20U, now_, random_};
  Forwarder forwarder_{exchanges_, cache_, counters_, random_, now_};
  Clients clients_;
  std::array<std::uint8_t, message_octets_max> out_{};
  std::vector<std::uint8_t> response_;
};

}  // namespace sotto
