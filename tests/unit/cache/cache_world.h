// A cache with a clock the test turns, and answers to put into it, made as those of upstreams are.
#pragma once

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "make_message.h"

namespace sotto::test {

inline Question ask(std::string_view name, std::uint16_t type = rtype::a,
                    Question::Flags flags = {}) {
  return {wire(name), type, rclass::in, flags};
}

// What an upstream says.
struct Content {
  std::uint16_t flags = 0x8180;
  std::vector<Octets> answers = {};
  std::vector<Octets> authorities = {};
  std::vector<Octets> additionals = {};
  std::uint8_t rcode_high = 0;  // the upper eight bits, in OPT
  std::optional<Octets> ede = {};
};

inline Answer make_answer(const Question& question, const Content& content) {
  Octets message =
      join({header({.flags = content.flags,
                    .answers = static_cast<std::uint16_t>(content.answers.size()),
                    .authorities = static_cast<std::uint16_t>(content.authorities.size()),
                    .additionals = static_cast<std::uint16_t>(content.additionals.size() + 1)}),
            Octets(question.name().begin(), question.name().end()), octets16(question.type()),
            octets16(question.qclass())});
  for (const auto* section : {&content.answers, &content.authorities, &content.additionals}) {
    for (const Octets& record : *section)
      message.insert(message.end(), record.begin(), record.end());
  }
  const Octets options = content.ede ? option(edns_option::extended_error, *content.ede) : Octets();
  const Octets last = opt(options, std::uint32_t{content.rcode_high} << 24U);
  message.insert(message.end(), last.begin(), last.end());
  Answer answer;
  EXPECT_TRUE(rewrite_response(message, question, answer));
  return answer;
}

inline Answer make_addresses(const Question& question, std::uint32_t ttl, unsigned last = 1) {
  return make_answer(question,
                     {.answers = {record(to_qname, rtype::a, ttl, octets({192, 0, 2, last}))}});
}

inline Octets ede(unsigned code, std::string_view text = {}) {
  return join({octets16(code), octets_of(text)});
}

inline Answer servfail(const Question& question, std::optional<Octets> extended = {}) {
  return make_answer(question, {.flags = 0x8182, .ede = std::move(extended)});
}

inline Octets soa(std::uint32_t ttl, unsigned minimum = 60) {
  return record(wire("example"), rtype::soa, ttl,
                join({wire("ns.example"), wire("admin.example"), Octets(16, 7), octets16(0),
                      octets16(minimum)}));
}

// Where the TTLs of a rewritten message stand; shares no code with what is tested.
inline std::vector<std::size_t> ttl_places(const Octets& message) {
  std::vector<std::size_t> places;
  std::size_t at = 12;
  const auto skip_name = [&message, &at] {
    while (message.at(at) != 0 && message.at(at) < 0xC0) at += message.at(at) + 1U;
    at += message.at(at) == 0 ? 1U : 2U;
  };
  skip_name();
  at += 4;
  while (at < message.size()) {
    skip_name();
    places.push_back(at + 4);
    at += 10U + message.at(at + 8) * 256U + message.at(at + 9);
  }
  return places;
}

inline std::vector<std::uint32_t> ttls(const Answer& answer) {
  std::vector<std::uint32_t> found;
  for (const std::size_t at : ttl_places(answer.message)) {
    found.push_back(load32(answer.message.data() + at));
  }
  return found;
}

// The same answer after so many seconds.
inline Answer aged(Answer answer, std::uint32_t seconds) {
  for (const std::size_t at : ttl_places(answer.message)) {
    std::uint8_t* const ttl = answer.message.data() + at;
    store32(ttl, load32(ttl) - seconds);
  }
  answer.ttl_min -= seconds;
  return answer;
}

// The same answer past its life: RFC 8767.
inline Answer gone_stale(Answer answer) {
  for (const std::size_t at : ttl_places(answer.message)) store32(answer.message.data() + at, 30);
  answer.ttl_min = 30;
  answer.message.at(3) &= 0xDFU;  // AD
  answer.extended_error = ExtendedError{
      .code = answer.rcode == rcode::nxdomain ? std::uint16_t{19} : std::uint16_t{3}, .text = {}};
  return answer;
}

// The ends of RRsets a response to any client may need: within a datagram, right below the longest
// message, and the last.
inline std::vector<RrsetEnd> where_it_may_be_cut(const Answer& answer) {
  std::vector<RrsetEnd> ends;
  for (std::size_t i = 0; i < answer.rrset_ends.size(); ++i) {
    const bool last = i + 1 == answer.rrset_ends.size();
    if (answer.rrset_ends[i].offset <= 1'232 || last ||
        answer.rrset_ends[i + 1].offset > 65'535 - 128) {
      ends.push_back(answer.rrset_ends[i]);
    }
  }
  return ends;
}

// Equal in all that matters to clients. What only concerns the upstream's connection is not kept.
inline testing::AssertionResult same(const Answer& found, const Answer& expected) {
  const auto differs = [](const char* what) { return testing::AssertionFailure() << what; };
  if (found.message != expected.message) {
    return differs("message: ") << testing::PrintToString(found.message) << " instead of "
                                << testing::PrintToString(expected.message);
  }
  if (found.rcode != expected.rcode) return differs("rcode ") << found.rcode;
  if (found.ttl_min != expected.ttl_min) {
    return differs("ttl_min ") << found.ttl_min << " instead of " << expected.ttl_min;
  }
  if (found.edns || found.keepalive) return differs("the upstream's EDNS");
  if (found.extended_error.has_value() != expected.extended_error.has_value())
    return differs("EDE");
  if (found.extended_error && (found.extended_error->code != expected.extended_error->code ||
                               found.extended_error->text != expected.extended_error->text)) {
    return differs("EDE ") << found.extended_error->code << " "
                           << found.extended_error->text.view();
  }
  const std::vector<RrsetEnd> ends = where_it_may_be_cut(expected);
  if (found.rrset_ends.size() != ends.size()) return differs("RRsets");
  for (std::size_t i = 0; i < found.rrset_ends.size(); ++i) {
    const RrsetEnd& left = found.rrset_ends[i];
    const RrsetEnd& right = ends[i];
    if (left.offset != right.offset || left.answers != right.answers ||
        left.authorities != right.authorities || left.additionals != right.additionals) {
      return differs("end of RRset ") << i;
    }
  }
  return testing::AssertionSuccess();
}

class CacheWorld {
 public:
  using State = Cache::State;

  explicit CacheWorld(std::size_t octets = 2 * shard_octets, std::uint64_t seed = 7)
      : random(seed), cache(octets, now, random) {}

  // place() must say the same, in a room of one of the sizes that transports have.
  Cache::Found find(const Question& question) {
    const Cache::Found found = cache.find(question, cache.hash(question), now, answer);
    static constexpr std::size_t rooms[] = {501, 512, 1'221, 1'232, 65'535};
    EXPECT_TRUE(placed_alike(question, found, rooms[finds++ % std::size(rooms)]));
    return found;
  }
  State state(const Question& question) { return find(question).state; }
  void store(const Question& question, const Answer& stored) {
    cache.store(question, cache.hash(question), stored, now, cache.generation());
  }
  void fail(const Question& question, bool from_upstream = true) {
    fail(question, servfail(question), from_upstream);
  }
  void fail(const Question& question, const Answer& failure, bool from_upstream = true) {
    cache.store_failure(question, cache.hash(question), failure,
                        from_upstream ? Cache::FailureOrigin::upstream : Cache::FailureOrigin::own,
                        now, cache.generation());
  }
  bool claim(const Question& question) {
    return cache.claim_refresh(question, cache.hash(question));
  }
  void hold(const Question& question) { cache.hold_refresh(question, cache.hash(question), now); }
  void wait(Duration time) { now += time; }

  testing::AssertionResult placed_alike(const Question& question, const Cache::Found& found,
                                        std::size_t room) {
    constexpr std::uint8_t untouched = 0xEE;
    Octets buffer(room + 8, untouched);
    PlacedMessage placed;
    const Cache::Placing placing =
        cache.place(question, cache.hash(question), now, std::span(buffer).first(room), placed);
    if (std::count(buffer.end() - 8, buffer.end(), untouched) != 8) {
      return testing::AssertionFailure() << "written behind the room";
    }
    const std::size_t whole_words = (answer.message.size() - 12 + 7) / 8 * 8;
    const bool plain =
        found.state == State::fresh && !answer.extended_error && 12 + whole_words <= room;
    const bool none = found.state == State::absent;  // or of no use, which only find() tells
    const bool alike =
        plain ? placing == (found.refresh_due ? Cache::Placing::refresh_due : Cache::Placing::fresh)
              : placing == Cache::Placing::other || (none && placing == Cache::Placing::absent);
    if (!alike) return testing::AssertionFailure() << "placed: " << static_cast<int>(placing);
    if (!plain) return testing::AssertionSuccess();
    const Octets& whole = answer.message;
    const bool same_octets = placed.octets == whole.size() &&
                             std::equal(whole.begin() + 12, whole.end(), buffer.begin() + 12);
    const bool same_counts = placed.answers == load16(&whole[6]) &&
                             placed.authorities == load16(&whole[8]) &&
                             placed.additionals == load16(&whole[10]);
    if (!same_octets || !same_counts || placed.rcode != answer.rcode ||
        placed.authentic != answer.authentic()) {
      return testing::AssertionFailure() << "something else is placed than is found";
    }
    return testing::AssertionSuccess();
  }

  std::size_t finds = 0;
  Random random;
  // Between two ticks of the cache's clock.
  Instant now{std::chrono::seconds{1'000} + std::chrono::milliseconds{137}};
  Cache cache;
  Answer answer;  // what find() found
};

}  // namespace sotto::test
