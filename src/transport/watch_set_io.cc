#include "transport/watch_set_io.h"

#include <array>
#include <cassert>
#include <new>
#include <sys/epoll.h>
#include <utility>

namespace sotto {
namespace {

// Of one turn: the others' turn comes after it.
constexpr int events_per_turn = 128;

UniqueFd open_epoll() {
  UniqueFd fd{::epoll_create1(EPOLL_CLOEXEC)};
  if (!fd) throw std::bad_alloc();
  return fd;
}

}  // namespace

WatchSet::WatchSet(Loop& loop) : loop_(loop), watch_(loop, open_epoll()) {
  end_turn();
}

void WatchSet::end_turn() {
  if (std::exchange(waiting_, true)) return;
  watch_.when_readable([this] { on_ready(); });
}

void WatchSet::on_ready() {
  waiting_ = false;
  std::array<epoll_event, events_per_turn> events;
  const int count = ::epoll_wait(watch_.fd(), events.data(), events_per_turn, 0);
  for (int at = 0; at < count; ++at) {
    const epoll_event& event = events[static_cast<std::size_t>(at)];
    const std::uint64_t number = event.data.u64;
    on_event({static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32U)},
             event.events);
  }
}

// An error or the end of the stream wakes whoever waits: the next system call tells them. What
// nobody waits for is not looked for any more, else it would wake us in every turn.
void WatchSet::on_event(Id id, std::uint32_t events) {
  Entry* entry = entries_.find(id);
  if (entry == nullptr) return;  // closed in this turn
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && !call(entry->readable)) {
    look_for(id, *entry, entry->events & ~std::uint32_t{EPOLLIN});
  }
  entry = entries_.find(id);
  if (entry == nullptr || (events & ~std::uint32_t{EPOLLIN}) == 0) return;
  look_for(id, *entry, entry->events & ~std::uint32_t{EPOLLOUT});
  call(entry->writable);
}

// False: nobody waits.
bool WatchSet::call(Handler& handler) {
  if (!handler) return false;
  const Handler called = std::exchange(handler, {});
  loop_.begin_handler();
  called();
  return true;
}

void WatchSet::look_for(Id id, Entry& entry, std::uint32_t events) {
  if (events == entry.events) return;
  int what = EPOLL_CTL_MOD;
  if (entry.events == 0) what = EPOLL_CTL_ADD;
  if (events == 0) what = EPOLL_CTL_DEL;
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{id.generation} << 32U | id.slot;
  [[maybe_unused]] const int result = ::epoll_ctl(watch_.fd(), what, entry.fd.get(), &event);
  assert(result == 0);
  entry.events = events;
}

WatchedSocket::WatchedSocket(WatchSet& set, UniqueFd fd) : set_(set), id_(set.entries_.insert()) {
  set.entries_.at(id_).fd = std::move(fd);
}

void WatchedSocket::when_readable(std::function<void()> handler) {
  WatchSet::Entry& entry = set_.entries_.at(id_);
  entry.readable = std::move(handler);
  set_.look_for(id_, entry, entry.events | EPOLLIN);
}

void WatchedSocket::when_writable(std::function<void()> handler) {
  WatchSet::Entry& entry = set_.entries_.at(id_);
  entry.writable = std::move(handler);
  set_.look_for(id_, entry, entry.events | EPOLLOUT);
}

}  // namespace sotto
