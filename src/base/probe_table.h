// A hash table of small values by open addressing: hashes come from outside, equality too, so
// values can be ids of things that hold the keys. Test: tests/unit/base/probe_table_test.cc.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sotto {

// Value: cheap to copy. Hashes must spread over their low bits. At most half full, so that runs
// stay short; grows by doubling and keeps its size.
template <class Value>
class ProbeTable {
 public:
  // places: room at the start, rounded up to a power of two.
  explicit ProbeTable(std::size_t places = 16) : places_(std::bit_ceil(places)) {}

  std::size_t size() const { return size_; }

  // The value under hash for which is_it(value) holds, or nothing.
  template <class IsIt>
  std::optional<Value> find(std::uint64_t hash, IsIt is_it) const {
    for (std::size_t at = home(hash); places_[at].used; at = next(at)) {
      if (places_[at].hash == hash && is_it(places_[at].value)) return places_[at].value;
    }
    return std::nullopt;
  }

  // Is there any value under this hash?
  bool contains(std::uint64_t hash) const {
    return find(hash, [](const Value&) { return true; }).has_value();
  }

  void insert(std::uint64_t hash, Value value) {
    if ((size_ + 1) * 2 > places_.size()) grow();
    place(hash, std::move(value));
    ++size_;
  }

  // The value must be there.
  template <class IsIt>
  void erase(std::uint64_t hash, IsIt is_it) {
    std::size_t hole = home(hash);
    while (!(places_[hole].hash == hash && is_it(places_[hole].value))) {
      assert(places_[hole].used);
      hole = next(hole);
    }
    // Moves later members of the run back, so that each stays reachable from its home.
    for (std::size_t at = next(hole); places_[at].used; at = next(at)) {
      const std::size_t from_home = (at - home(places_[at].hash)) & mask();
      const std::size_t from_hole = (at - hole) & mask();
      if (from_home < from_hole) continue;
      places_[hole] = std::move(places_[at]);
      hole = at;
    }
    places_[hole].used = false;
    --size_;
  }

 private:
  struct Place {
    std::uint64_t hash = 0;
    Value value{};
    bool used = false;
  };

  std::size_t mask() const { return places_.size() - 1; }
  std::size_t home(std::uint64_t hash) const { return static_cast<std::size_t>(hash) & mask(); }
  std::size_t next(std::size_t at) const { return (at + 1) & mask(); }

  void place(std::uint64_t hash, Value value) {
    std::size_t at = home(hash);
    while (places_[at].used) at = next(at);
    places_[at] = Place{hash, std::move(value), true};
  }

  void grow() {
    std::vector<Place> old(places_.size() * 2);
    old.swap(places_);
    for (Place& member : old) {
      if (member.used) place(member.hash, std::move(member.value));
    }
  }

  std::vector<Place> places_;
  std::size_t size_ = 0;
};

}  // namespace sotto
