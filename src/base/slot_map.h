// Values found again by ids that go stale: an id whose value was erased finds nothing, even after
// its slot was used anew. Test: tests/unit/base/slot_map_test.cc.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace sotto {

// Tag makes ids of different maps different types. The zero id is never given out.
template <class Tag>
struct StaleId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  explicit operator bool() const { return generation != 0; }
  friend bool operator==(const StaleId&, const StaleId&) = default;
};

// Addresses of values stay valid until they are erased. T is default-constructible; erase() resets
// a value through T::reset(), which may keep its allocations for the next use of the slot.
template <class T, class Tag>
class SlotMap {
 public:
  using Id = StaleId<Tag>;

  // Takes a free slot; its value is as T's constructor or reset() left it.
  Id insert() {
    if (free_.empty()) {
      slots_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    slots_[slot].used = true;
    return Id{slot, slots_[slot].generation};
  }

  // Null when the id is stale.
  T* find(Id id) {
    if (id.slot >= slots_.size()) return nullptr;
    Slot& slot = slots_[id.slot];
    return slot.used && slot.generation == id.generation ? &slot.value : nullptr;
  }

  T& at(Id id) {
    T* value = find(id);
    assert(value != nullptr);
    return *value;
  }

  void erase(Id id) {
    T* value = find(id);
    assert(value != nullptr);
    value->reset();
    Slot& slot = slots_[id.slot];
    slot.used = false;
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(id.slot);
  }

  // callback(Id, T&) for every value, in no particular order; it must neither insert nor erase.
  template <class Callback>
  void for_each(Callback callback) {
    for (std::uint32_t at = 0; at < slots_.size(); ++at) {
      Slot& slot = slots_[at];
      if (slot.used) callback(Id{at, slot.generation}, slot.value);
    }
  }

  std::size_t size() const { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    T value{};
    std::uint32_t generation = 1;
    bool used = false;
  };

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace sotto
