// A doubly linked list through hooks inside its elements: no allocation, removal from the middle in
// constant time. Test: tests/unit/base/intrusive_list_test.cc.
#pragma once

#include <cassert>
#include <cstddef>

namespace sotto {

template <class T>
struct ListHook {
  T* previous = nullptr;
  T* next = nullptr;
  bool linked = false;
};

// hook names the member of T this list uses. Elements must not move and must be removed before they
// die.
template <class T, ListHook<T> T::*hook>
class IntrusiveList {
 public:
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  T* front() const { return first_; }
  T* back() const { return last_; }
  static T* next(const T& element) { return (element.*hook).next; }
  static bool contains(const T& element) { return (element.*hook).linked; }

  void push_back(T& element) {
    ListHook<T>& links = link(element);
    links.previous = last_;
    (last_ != nullptr ? (last_->*hook).next : first_) = &element;
    last_ = &element;
  }

  void push_front(T& element) {
    ListHook<T>& links = link(element);
    links.next = first_;
    (first_ != nullptr ? (first_->*hook).previous : last_) = &element;
    first_ = &element;
  }

  void remove(T& element) {
    ListHook<T>& links = element.*hook;
    assert(links.linked);
    (links.previous != nullptr ? (links.previous->*hook).next : first_) = links.next;
    (links.next != nullptr ? (links.next->*hook).previous : last_) = links.previous;
    links = {};
    --size_;
  }

 private:
  ListHook<T>& link(T& element) {
    ListHook<T>& links = element.*hook;
    assert(!links.linked);
    links.linked = true;
    ++size_;
    return links;
  }

  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sotto
