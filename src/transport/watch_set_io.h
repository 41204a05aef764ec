// Many sockets watched as one descriptor of the loop. A handler that waits again for input, as
// those of busy connections do in every turn, costs no system call; with a Watch it costs one.
// Test: tests/unit/transport/watch_set_test.cc.
#pragma once

#include <cstdint>
#include <functional>

#include "base/slot_map.h"
#include "transport/loop_io.h"
#include "transport/socket_io.h"

namespace sotto {

class WatchSet {
 public:
  // The loop outlives the set, which lives as long as the loop runs.
  explicit WatchSet(Loop& loop);
  WatchSet(const WatchSet&) = delete;
  WatchSet& operator=(const WatchSet&) = delete;

  // To be called at the end of each turn: only then it is seen what has become ready.
  void end_turn();

 private:
  friend class WatchedSocket;
  using Handler = std::function<void()>;
  using Id = StaleId<struct WatchSetTag>;
  struct Entry {
    UniqueFd fd;
    Handler readable;  // empty: nobody waits
    Handler writable;
    std::uint32_t events = 0;  // what the kernel looks for; 0: it does not look

    void reset() {
      fd = {};
      readable = writable = {};
      events = 0;
    }
  };

  void on_ready();
  void on_event(Id id, std::uint32_t events);
  bool call(Handler& handler);
  void look_for(Id id, Entry& entry, std::uint32_t events);

  Loop& loop_;
  Watch watch_;  // of the epoll instance
  bool waiting_ = false;
  SlotMap<Entry, struct WatchSetTag> entries_;
};

// One of them, closed with this object. Each handler is called once, begins as Loop's handlers do,
// and may destroy the socket; when_readable() does not look whether somebody waits already.
class WatchedSocket {
 public:
  WatchedSocket(WatchSet& set, UniqueFd fd);
  ~WatchedSocket() { set_.entries_.erase(id_); }
  WatchedSocket(const WatchedSocket&) = delete;
  WatchedSocket& operator=(const WatchedSocket&) = delete;

  int fd() { return set_.entries_.at(id_).fd.get(); }
  void when_readable(std::function<void()> handler);
  void when_writable(std::function<void()> handler);

 private:
  WatchSet& set_;
  WatchSet::Id id_;
};

}  // namespace sotto
