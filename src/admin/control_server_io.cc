#include "admin/control_server_io.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "base/last_words.h"

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

// Out of descriptors: the queue stays readable, and without a pause the loop would spin.
constexpr Duration accept_pause = std::chrono::milliseconds{100};

// A close with octets unread would cost the peer the end of its answer.
void discard_input(int fd) {
  std::array<char, 4'096> buffer{};
  constexpr int reads_max = 16;
  for (int count = 0; count < reads_max; ++count) {
    if (::recv(fd, buffer.data(), buffer.size(), 0) <= 0) return;
  }
}

bool try_again() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

void ControlServer::Connection::reset() {
  watch.reset();
  call.clear();
  answer = {};
  sent = 0;
  deadline = never;
}

ControlServer::ControlServer(ControlSocket socket, ControlCommands commands, Duration peer_timeout)
    : commands_(std::move(commands)), peer_timeout_(peer_timeout), socket_(std::move(socket)) {
  loop_.set_turn_end([this] { return end_turn(); });
  listener_.emplace(loop_, UniqueFd{::fcntl(socket_.fd(), F_DUPFD_CLOEXEC, 0)});
}

ControlServer::~ControlServer() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

void ControlServer::start() {
  wait_for_peers();
  thread_ = std::thread([this] { run_or_end("the control socket", [this] { loop_.run(); }); });
}

void ControlServer::wait_for_peers() {
  listener_->when_readable([this] { on_acceptable(); });
}

void ControlServer::on_acceptable() {
  UniqueFd fd{::accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!fd && !try_again() && errno != ECONNABORTED) {
    accept_again_ = loop_.now() + accept_pause;
    return;
  }
  wait_for_peers();
  if (!fd) return;
  if (connections_.size() >= control_connections_max) return refuse(std::move(fd));
  const ConnectionId id = connections_.insert();
  Connection& connection = connections_.at(id);
  connection.deadline = loop_.now() + peer_timeout_;
  connection.watch.emplace(loop_, std::move(fd));
  connection.watch->when_readable([this, id] { on_readable(id); });
}

void ControlServer::refuse(UniqueFd fd) const {
  const std::string text =
      answer_text(Failure("too many connections are open; try again when they are done"));
  // A socket that is new has room for a line.
  static_cast<void>(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL));
  discard_input(fd.get());
}

void ControlServer::on_readable(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  std::array<char, call_octets_max> buffer{};
  const std::size_t room = call_octets_max - connection->call.size();
  const ssize_t count = ::recv(connection->watch->fd(), buffer.data(), room, 0);
  if (count < 0 && !try_again()) return connections_.erase(id);
  if (count > 0) connection->call.append(buffer.data(), static_cast<std::size_t>(count));
  const std::string& call = connection->call;
  const std::size_t end = call.find('\n');
  if (end != std::string::npos) {
    if (end + 1 != call.size()) return answer(id, Failure("send one line, not more"));
    return answer(id, run_call(commands_, std::string_view(call).substr(0, end)));
  }
  if (count == 0) return answer(id, Failure("the line has no end; send a line feed behind it"));
  if (call.size() == call_octets_max) {
    return answer(id, Failure("the line is too long; it may have " +
                              std::to_string(call_octets_max) + " octets"));
  }
  connection->watch->when_readable([this, id] { on_readable(id); });
}

void ControlServer::answer(ConnectionId id, const ControlResult& result) {
  loop_.update_now();  // the command may have taken its time
  Connection& connection = connections_.at(id);
  connection.answer = answer_text(result);
  connection.deadline = loop_.now() + peer_timeout_;
  on_writable(id);
}

void ControlServer::on_writable(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  const int fd = connection->watch->fd();
  while (connection->sent < connection->answer.size()) {
    const std::string_view left = std::string_view(connection->answer).substr(connection->sent);
    const ssize_t count = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      connection->sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      connection->watch->when_writable([this, id] { on_writable(id); });
      return;
    } else if (errno != EINTR) {
      return connections_.erase(id);
    }
  }
  discard_input(fd);
  connections_.erase(id);
}

Instant ControlServer::end_turn() {
  const Instant now = loop_.now();
  if (accept_again_ <= now) {
    accept_again_ = never;
    wait_for_peers();
  }
  std::vector<ConnectionId> late;
  Instant next = accept_again_;
  connections_.for_each([&](ConnectionId id, const Connection& connection) {
    if (connection.deadline <= now) {
      late.push_back(id);
    } else {
      next = std::min(next, connection.deadline);
    }
  });
  for (const ConnectionId id : late) connections_.erase(id);
  return next;
}

}  // namespace sotto
