// Names, answers and popularity for the cache's benchmarks: the same for the same seed.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <pthread.h>
#include <stdexcept>
#include <vector>

#include "base/random.h"
#include "cache/cache.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "dns/wire.h"

namespace sotto::bench {

// One round of splitmix64: neighbouring numbers become names that have nothing in common.
inline std::uint64_t mix(std::uint64_t number) {
  number += 0x9E3779B97F4A7C15U;
  number = (number ^ (number >> 30U)) * 0xBF58476D1CE4E5B9U;
  number = (number ^ (number >> 27U)) * 0x94D049BB133111EBU;
  return number ^ (number >> 31U);
}

// 30 octets: a label of 14 random characters below bench.example, or, if number is odd, below
// bunch.example.
inline Question question_number(std::uint64_t number) {
  std::array<std::uint8_t, 30> name{14,  0, 0,   0,   0,   0,   0,   0,   0,   0,
                                    0,   0, 0,   0,   0,   5,   'b', 'e', 'n', 'c',
                                    'h', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
  std::uint64_t bits = mix(number);
  for (std::size_t at = 1; at <= 14; ++at, bits >>= 5U) {
    if (at == 8) bits = mix(~number);
    name[at] = static_cast<std::uint8_t>(letters[bits & 31U]);
  }
  if ((number & 1U) != 0) name[17] = 'u';
  return {name, rtype::a, rclass::in, {}};
}

// One address for a day, as rewrite_response() makes it of an upstream's answer.
inline void answer_to(const Question& question, Answer& answer) {
  constexpr std::array<std::uint8_t, 12> header{0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
  constexpr std::array<std::uint8_t, 20> rest{0, 1, 0,    1,    0xC0, 12, 0,   1, 0, 1,
                                              0, 1, 0x51, 0x80, 0,    4,  192, 0, 2, 1};
  std::array<std::uint8_t, header.size() + name_octets_max + rest.size()> message{};
  auto end = std::copy(header.begin(), header.end(), message.begin());
  end = std::copy(question.name().begin(), question.name().end(), end);
  end = std::copy(rest.begin(), rest.end(), end);
  const auto octets = static_cast<std::size_t>(end - message.begin());
  if (!rewrite_response(std::span(message).first(octets), question, answer)) {
    throw std::logic_error("the benchmark's answer does not parse");
  }
}

inline void store_number(Cache& cache, std::uint64_t number, Instant now, Answer& scratch) {
  const Question question = question_number(number);
  answer_to(question, scratch);
  cache.store(question, cache.hash(question), scratch, now, cache.generation());
}

// Numbers [0, population): the r-th most popular is drawn 1/r as often as the first.
class Zipf {
 public:
  Zipf(std::size_t population, std::uint64_t seed) : random_(seed) {
    double sum = 0;
    cumulated_.reserve(population);
    for (std::size_t rank = 1; rank <= population; ++rank) {
      cumulated_.push_back(sum += 1.0 / static_cast<double>(rank));
    }
  }

  std::uint32_t draw() {
    const double at = std::ldexp(static_cast<double>(random_.next64() >> 11U), -53);
    const auto found =
        std::lower_bound(cumulated_.begin(), cumulated_.end() - 1, at * cumulated_.back());
    return static_cast<std::uint32_t>(found - cumulated_.begin());
  }

  std::vector<std::uint32_t> draw_many(std::size_t count) {
    std::vector<std::uint32_t> drawn(count);
    for (std::uint32_t& number : drawn) number = draw();
    return drawn;
  }

 private:
  Random random_;
  std::vector<double> cumulated_;
};

// The calling thread stays on one CPU, so that two threads never share one while another is idle.
inline void stay_on_cpu(unsigned cpu) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  CPU_SET(cpu, &allowed);
  pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
}

}  // namespace sotto::bench
