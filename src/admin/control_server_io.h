// Serves the control socket on a thread and a loop of its own, so that no command, however long it
// takes, is felt by a worker. Test: tests/unit/admin/control_server_test.cc.
#pragma once

#include <optional>
#include <string>
#include <thread>

#include "admin/control_protocol.h"
#include "admin/control_socket_io.h"
#include "base/slot_map.h"
#include "transport/loop_io.h"

namespace sotto {

// People and scripts of one user; more at once is a mistake.
inline constexpr std::size_t control_connections_max = 16;
// To send a call, and again to take its answer.
inline constexpr Duration control_peer_timeout = std::chrono::seconds{10};

class ControlServer {
 public:
  // commands run on the server's thread, one at a time. peer_timeout: for tests.
  ControlServer(ControlSocket socket, ControlCommands commands,
                Duration peer_timeout = control_peer_timeout);
  // Stops: a command that runs is finished, then the socket's file is gone.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  void start();

 private:
  using ConnectionId = StaleId<struct ControlTag>;
  struct Connection {
    std::optional<Watch> watch;
    std::string call;  // what came of it
    std::string answer;
    std::size_t sent = 0;  // octets of answer
    Instant deadline = never;
    void reset();
  };

  void wait_for_peers();
  void on_acceptable();
  void refuse(UniqueFd fd) const;
  void on_readable(ConnectionId id);
  void answer(ConnectionId id, const ControlResult& result);
  void on_writable(ConnectionId id);
  Instant end_turn();

  const ControlCommands commands_;
  const Duration peer_timeout_;
  const ControlSocket socket_;
  Loop loop_;
  std::optional<Watch> listener_;
  Instant accept_again_ = never;
  SlotMap<Connection, struct ControlTag> connections_;
  std::thread thread_;
};

}  // namespace sotto
