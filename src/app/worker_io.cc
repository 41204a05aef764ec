#include <algorithm>
#include <utility>

#include "app/worker.h"
#include "base/last_words.h"

namespace sotto {
namespace {

void add_listeners(StreamFrontend& streams, StreamTransport transport,
                   std::vector<WorkerSockets::Bound>& sockets) {
  for (WorkerSockets::Bound& bound : sockets) {
    ListenAddress& listen = bound.listen;
    streams.add_listener(std::move(bound.fd),
                         {.transport = transport,
                          .proxy_from = std::move(listen.proxy_from),
                          .client_ca = std::move(listen.client_ca),
                          .client_certificate_required = listen.client_certificate_required,
                          .path = std::move(listen.path)});
  }
}

}  // namespace

Worker::Worker(SharedState& shared, Log& log, WorkerSockets sockets,
               std::shared_ptr<const WorkerConfig> config)
    : upstream_log_(log),
      stream_log_(log),
      opener_(loop_, shared.tickets),
      pool_(opener_, shared.backoffs, upstream_log_, upstream_counters_, random_, loop_.now()),
      exchanges_(pool_, loop_.now()),
      forwarder_(exchanges_, shared.cache, counters_, random_, loop_.now()),
      turn_(exchanges_, forwarder_, loop_.now()),
      streams_(loop_, forwarder_, stream_counters_, stream_log_) {
  for (WorkerSockets::Bound& bound : sockets.udp) {
    udp_.push_back(std::make_unique<UdpFrontend>(loop_, forwarder_, udp_counters_,
                                                 std::move(bound.fd), bound.listen.address,
                                                 std::move(bound.listen.proxy_from)));
  }
  loop_.set_turn_end([this] { return end_turn(); });
  adopt(*config);
  add_listeners(streams_, StreamTransport::tcp, sockets.tcp);
  add_listeners(streams_, StreamTransport::tls, sockets.tls);
  add_listeners(streams_, StreamTransport::https, sockets.https);
}

void Worker::adopt(const WorkerConfig& config) {
  pool_.apply(config.pool);
  exchanges_.set_timeout(config.query_timeout);
  forwarder_.apply(config.policy);
  streams_.set_limits(config.tcp.idle_timeout, config.tcp.connections_max,
                      config.tcp.connections_per_client_max);
  streams_.set_tls({.credentials = config.server_tls, .client_trust = config.client_trust});
}

void Worker::start() {
  for (const auto& frontend : udp_) frontend->start();
  streams_.start();
  thread_ = std::thread([this] {
    run_or_end("a worker", [this] { loop_.run(); });
    stopped_ = true;
  });
}

// Only a start that failed half-way leaves a thread to be stopped here.
Worker::~Worker() {
  loop_.stop();
  join();
}

void Worker::apply(std::shared_ptr<const WorkerConfig> config) {
  loop_.post([this, config = std::move(config)] { adopt(*config); });
}

void Worker::on_network_change() {
  loop_.post([this] { pool_.on_network_change(); });
}

void Worker::on_clock_change() {
  loop_.post([this] { pool_.on_clock_change(); });
}

void Worker::drain() {
  loop_.post([this] {
    drain_until_ = loop_.now() + std::min(exchanges_.timeout() + drain_margin, drain_timeout_max);
    for (const auto& frontend : udp_) frontend->stop_receiving();
    streams_.stop_receiving();
  });
}

std::future<WorkerReport> Worker::report() {
  const auto promise = std::make_shared<std::promise<WorkerReport>>();
  loop_.post([this, promise] { promise->set_value(make_report()); });
  return promise->get_future();
}

WorkerReport Worker::make_report() const {
  return {.forwarder = counters_,
          .udp = udp_counters_,
          .streams = stream_counters_,
          .udp_unsent = udp_unsent(),
          .udp_headers_refused = udp_headers_refused(),
          .waiting = forwarder_.waiting(),
          .pool = pool_.report(),
          .hedges_denied = exchanges_.hedges_denied()};
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

std::uint64_t Worker::udp_unsent() const {
  std::uint64_t unsent = 0;
  for (const auto& frontend : udp_) unsent += frontend->unsent().value();
  return unsent;
}

std::uint64_t Worker::udp_headers_refused() const {
  std::uint64_t refused = 0;
  for (const auto& frontend : udp_) refused += frontend->headers_refused().value();
  return refused;
}

bool Worker::drained() const {
  const bool idle = forwarder_.waiting() == 0 && streams_.connections() == 0;
  return drain_until_ != never && (idle || loop_.now() >= drain_until_);
}

// Whoever still waits gets SERVFAIL with this turn's responses.
void Worker::stop() {
  exchanges_.give_up_all();
  pool_.close_all();
  pool_.flush();
  loop_.stop();
}

// What the handlers of this turn produced leaves here: queries first, as answers take longest.
Instant Worker::end_turn() {
  turn_.tell_deadlines();
  if (streams_.next_deadline() <= loop_.now()) streams_.on_deadline();
  turn_.send();
  if (drained()) stop();
  for (const auto& frontend : udp_) frontend->flush();
  streams_.flush();
  if (drained()) return loop_.now();  // the last connection closed just now: stop in the next turn
  return std::min({turn_.next_deadline(), streams_.next_deadline(), drain_until_});
}

}  // namespace sotto
