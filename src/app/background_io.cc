#include <algorithm>
#include <utility>

#include "app/background.h"
#include "base/last_words.h"

namespace sotto {
namespace {

std::string to_text(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) text += (text.empty() ? "" : " ") + address.text();
  return text;
}

}  // namespace

Background::Background(SharedState& shared, Log& log, FileCalls& calls, BackgroundEvents& events,
                       const std::string& ticket_file, const std::string& state_directory)
    : log_(log),
      events_(events),
      upstream_log_(log),
      opener_(loop_, shared.tickets),
      pool_(opener_, shared.backoffs, upstream_log_, counters_, random_, loop_.now()),
      exchanges_(pool_, loop_.now()),
      bootstrap_(exchanges_, *this, loop_.now()),
      tickets_(log, shared.tickets, calls, ticket_file),
      addresses_(log, calls, state_directory),
      certificates_(log) {
  loop_.set_turn_end([this] { return end_turn(); });
}

Background::~Background() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

HostAddresses Background::load() {
  tickets_.load(loop_.now());
  known_ = addresses_.load();
  return known_;
}

void Background::start(BackgroundConfig config) {
  adopt(std::move(config));
  open_watches();
  stopped_ = false;
  thread_ = std::thread([this] {
    run_or_end("the background", [this] { loop_.run(); });
    stopped_ = true;
  });
}

void Background::apply(BackgroundConfig config) {
  loop_.post([this, config = std::move(config)]() mutable {
    const ServerTls tls = config.server_tls;
    adopt(std::move(config));
    // A host that came back is known here, and not where the workers' configuration is made; and
    // what was just read of changed certificates may have overtaken this configuration.
    events_.on_addresses(bootstrap_.addresses());
    events_.on_server_tls(tls);
  });
}

void Background::adopt(BackgroundConfig config) {
  pool_.apply(std::move(config.bootstrap));
  bootstrap_.set_hosts(config.hosts, known_);
  certificates_.adopt(std::move(config.server_tls), loop_.now());
}

void Background::open_watches() {
  auto network = NetworkWatch::open(loop_, [this] { on_network_change(); });
  if (network) {
    network_watch_ = std::move(*network);
  } else {
    log_.warning("network.unwatched", "changes of the network are noticed by failures only",
                 {{"reason", network.error().what}});
  }
  auto clock = ClockWatch::open(loop_, [this] { on_clock_change(); });
  if (clock) {
    clock_watch_ = std::move(*clock);
  } else {
    log_.warning("clock.unwatched", "that the clock is set is not noticed",
                 {{"reason", clock.error().what}});
  }
}

void Background::on_network_change() {
  pool_.on_network_change();
  bootstrap_.on_network_change();
  events_.on_network_change();
  log_.debug("network.changed", "links, addresses or routes changed");
}

void Background::on_clock_change() {
  pool_.on_clock_change();
  bootstrap_.on_network_change();
  events_.on_clock_change();
  log_.info("clock.changed", "the clock was set, or the machine resumed");
}

void Background::on_bootstrap(const BootstrapEvent& event) {
  using Kind = BootstrapEvent::Kind;
  const std::string addresses = to_text(event.addresses);
  switch (event.kind) {
    case Kind::resolved:
    case Kind::refreshed:
      failing_.erase(std::string(event.host));
      log_.write(event.kind == Kind::resolved ? LogLevel::info : LogLevel::debug,
                 "bootstrap.resolved", "addresses of an upstream found",
                 {{"host", event.host}, {"addresses", addresses}, {"ttl", event.ttl}});
      break;
    case Kind::failed:
    case Kind::kept: {
      std::string& told = failing_[std::string(event.host)];
      const LogLevel level = told == event.reason ? LogLevel::debug : LogLevel::warning;
      told = event.reason;
      if (event.kind == Kind::failed) {
        log_.write(level, "bootstrap.failed", "an upstream has no address yet; trying again",
                   {{"host", event.host}, {"reason", event.reason}});
      } else {
        log_.write(level, "bootstrap.kept", "the addresses found last stay in use",
                   {{"host", event.host}, {"addresses", addresses}, {"reason", event.reason}});
      }
      break;
    }
  }
  if (!event.changed) return;
  for (const auto& [host, found] : bootstrap_.addresses()) known_.insert_or_assign(host, found);
  events_.on_addresses(bootstrap_.addresses());
  addresses_.save(bootstrap_.addresses());
}

Instant Background::end_turn() {
  const Instant now = loop_.now();
  if (network_watch_ && network_watch_->next_deadline() <= now) network_watch_->on_deadline();
  // The earliest that any turn since has named: what has passed meanwhile is not told again.
  if (exchanges_deadline_ <= now) {
    exchanges_deadline_ = never;
    exchanges_.on_deadline();
  }
  if (bootstrap_.next_deadline() <= now) bootstrap_.on_deadline();
  exchanges_.end_turn();
  if (tickets_.next_save() <= now) tickets_.save(false, now);
  if (certificates_.next_look() <= now) {
    if (auto tls = certificates_.look(now)) events_.on_server_tls(std::move(*tls));
  }
  exchanges_deadline_ = std::min(exchanges_deadline_, exchanges_.next_deadline());
  const Instant watch = network_watch_ ? network_watch_->next_deadline() : never;
  return std::min({exchanges_deadline_, bootstrap_.next_deadline(), tickets_.next_save(),
                   certificates_.next_look(), watch});
}

void Background::stop() {
  loop_.post([this] { finish(); });
}

void Background::finish() {
  pool_.close_all();
  pool_.flush();
  tickets_.save(true, loop_.now());
  loop_.stop();
}

}  // namespace sotto
