#include "upstream/selection.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "base/hash.h"
#include "dns/constants.h"
#include "policy/registrable_name.h"

namespace sotto {

bool alike(Duration one, Duration other) {
  const auto [less, more] = std::minmax(one, other);
  const auto limit = static_cast<Duration::rep>(alike_factor * static_cast<double>(less.count()));
  return more <= Duration{limit} + alike_margin;
}

namespace {

// Of two that work.
bool better(const Candidate& one, const Candidate& other) {
  const bool known = one.expected != Duration{0} && other.expected != Duration{0};
  if (!known || alike(one.expected, other.expected)) return one.in_flight < other.in_flight;
  return one.expected < other.expected;
}

// Two taken at random, the better one first; the others follow in any order.
void put_better_of_two_first(Random& random, std::span<Candidate> candidates) {
  if (candidates.size() < 2) return;
  const auto take = [&](std::size_t place) {
    const std::size_t other = place + random.below(candidates.size() - place);
    std::swap(candidates[place], candidates[other]);
  };
  take(0);
  take(1);
  if (better(candidates[1], candidates[0])) std::swap(candidates[0], candidates[1]);
}

void shuffle(Random& random, std::span<Candidate> candidates) {
  for (std::size_t left = candidates.size(); left > 1; --left) {
    std::swap(candidates[left - 1], candidates[random.below(left)]);
  }
}

// The others stay in their order. Few candidates, hardly ever one that is avoided: no sorting.
std::vector<Candidate>::iterator put_avoided_last(std::vector<Candidate>& candidates) {
  auto end = candidates.end();
  for (auto at = candidates.begin(); at != end;) {
    if (at->avoided) {
      std::rotate(at, std::next(at), candidates.end());
      --end;
    } else {
      ++at;
    }
  }
  return end;
}

// Rendezvous hashing: each upstream has a weight for this name, and the heaviest takes it. When one
// goes away, only its names move.
void by_weight(const Question& question, std::span<Candidate> candidates) {
  const std::span<const std::uint8_t> name = registrable_name(question.name());
  const auto weight = [name](const Candidate& candidate) {
    return keyed_hash(name, candidate.name_hash);
  };
  std::sort(
      candidates.begin(), candidates.end(),
      [&](const Candidate& one, const Candidate& other) { return weight(one) > weight(other); });
}

}  // namespace

std::string_view to_text(Selection selection) {
  switch (selection) {
    case Selection::fastest:
      return "fastest";
    case Selection::order:
      return "order";
    case Selection::random:
      return "random";
    case Selection::hash:
      return "hash";
    case Selection::all:
      return "all";
  }
  return {};
}

void rank(Selection selection, const Question& question, Random& random,
          std::vector<Candidate>& candidates) {
  const auto avoided = put_avoided_last(candidates);
  const std::span<Candidate> working(candidates.begin(), avoided);
  switch (selection) {
    case Selection::order:
      return;
    case Selection::hash:
      by_weight(question, working);
      by_weight(question, std::span(avoided, candidates.end()));
      return;
    case Selection::fastest:
    case Selection::all:
      put_better_of_two_first(random, working);
      return;
    case Selection::random:
      shuffle(random, working);
      return;
  }
}

}  // namespace sotto
