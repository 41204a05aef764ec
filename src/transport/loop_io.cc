#include "transport/loop_io.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <limits>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <utility>

namespace sotto {
namespace {

// Of one turn: what the handlers of so many produced leaves before the others are looked at.
constexpr std::size_t events_per_turn = 128;

UniqueFd checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return UniqueFd{fd};
}

std::uint64_t to_number(std::uint32_t slot, std::uint32_t generation) {
  return std::uint64_t{generation} << 32U | slot;
}

// Generations of watched descriptors begin at 1.
constexpr std::uint64_t wake_number = 0;

}  // namespace

Loop::Loop()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = wake_number;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

// --- turns --------------------------------------------------------------------------------------

void Loop::run() {
  runs_on_ = ::pthread_self();
  while (!stopped_) turn(milliseconds_to_wait());
  runs_on_ = pthread_t{};
}

std::size_t Loop::run_ready() {
  return turn(0);
}

// Rounded up: a turn that comes early would find nothing to do and wait again.
//
// The wait counts by a clock that stands still while the machine is suspended. What was slept
// through is noticed in the first turn afterwards.
int Loop::milliseconds_to_wait() const {
  if (has_posted_) return 0;
  if (deadline_ == never) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - monotonic_now());
  constexpr std::chrono::milliseconds longest{std::numeric_limits<int>::max()};
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds{0}, longest).count());
}

std::size_t Loop::turn(int timeout_ms) {
  std::array<epoll_event, events_per_turn> events;
  const int ready = ::epoll_wait(epoll_.get(), events.data(), events_per_turn, timeout_ms);
  update_now();
  std::size_t handlers = run_posted();
  for (int at = 0; at < ready; ++at) {
    const std::uint64_t number = events[static_cast<std::size_t>(at)].data.u64;
    if (number == wake_number) {
      hear_wake_up();
      continue;
    }
    const Id id{static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32U)};
    handlers += on_event(id, events[static_cast<std::size_t>(at)].events);
  }
  deadline_ = end_turn_ ? end_turn_() : never;
  return handlers;
}

// --- other threads ------------------------------------------------------------------------------

void Loop::post(Handler function) {
  bool first = false;
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(function));
    first = !has_posted_.exchange(true);
  }
  if (first && runs_on_ != ::pthread_self()) wake();
}

void Loop::stop() {
  stopped_ = true;
  wake();
}

// Fails only when a wake-up is on its way already.
void Loop::wake() {
  ::eventfd_write(wake_.get(), 1);
}

// What has been posted may have been run a turn ago: the wake-up came after it.
void Loop::hear_wake_up() {
  eventfd_t wake_ups = 0;
  ::eventfd_read(wake_.get(), &wake_ups);
}

// What these post runs in the next turn.
std::size_t Loop::run_posted() {
  if (!has_posted_) return 0;
  std::vector<Handler> functions;
  {
    const std::lock_guard lock(posted_mutex_);
    functions = std::exchange(posted_, {});
    has_posted_ = false;
  }
  for (Handler& function : functions) {
    update_now();
    function();
  }
  return functions.size();
}

// --- descriptors --------------------------------------------------------------------------------

// An error or the end of the stream wakes whichever handler waits: the next system call tells it.
// What nobody waits for is not looked for any more, else it would wake the loop in every turn.
std::size_t Loop::on_event(Id id, std::uint32_t events) {
  std::size_t handlers = 0;
  Watched* watched = watched_.find(id);
  if (watched == nullptr) return handlers;  // closed in this turn
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0) {
    if (call(watched->readable)) {
      ++handlers;
    } else {
      look_for(id, *watched, watched->events & ~std::uint32_t{EPOLLIN});
    }
  }
  watched = watched_.find(id);
  if (watched == nullptr || (events & ~std::uint32_t{EPOLLIN}) == 0) return handlers;
  look_for(id, *watched, watched->events & ~std::uint32_t{EPOLLOUT});
  return handlers + (call(watched->writable) ? 1 : 0);
}

// False: nobody waits.
bool Loop::call(Handler& handler) {
  if (!handler) return false;
  const Handler called = std::exchange(handler, {});
  update_now();
  called();
  return true;
}

void Loop::look_for(Id id, Watched& watched, std::uint32_t events) {
  if (events == watched.events) return;
  int what = EPOLL_CTL_MOD;
  if (watched.events == 0) what = EPOLL_CTL_ADD;
  if (events == 0) what = EPOLL_CTL_DEL;
  epoll_event event{};
  event.events = events;
  event.data.u64 = to_number(id.slot, id.generation);
  const int result = ::epoll_ctl(epoll_.get(), what, watched.fd.get(), &event);
  if (result != 0 && events != 0) {  // out of memory, or of what a user may watch
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  watched.events = events;
}

Watch::Watch(Loop& loop, UniqueFd fd) : loop_(loop), id_(loop.watched_.insert()) {
  loop_.watched_.at(id_).fd = std::move(fd);
}

// Unregistered by hand: a descriptor that somebody else holds too, as a service manager does that
// of a listener, stays registered when ours is closed.
Watch::~Watch() {
  loop_.look_for(id_, loop_.watched_.at(id_), 0);
  loop_.watched_.erase(id_);
}

void Watch::when_readable(Loop::Handler handler) {
  Loop::Watched& watched = loop_.watched_.at(id_);
  watched.readable = std::move(handler);
  loop_.look_for(id_, watched, watched.events | EPOLLIN);
}

void Watch::when_writable(Loop::Handler handler) {
  Loop::Watched& watched = loop_.watched_.at(id_);
  watched.writable = std::move(handler);
  loop_.look_for(id_, watched, watched.events | EPOLLOUT);
}

}  // namespace sotto
