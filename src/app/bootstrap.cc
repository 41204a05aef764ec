#include "app/bootstrap.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dns/addresses.h"

namespace sotto {
namespace {

constexpr std::array<std::uint16_t, 2> family_types = {rtype::a, rtype::aaaa};

std::optional<IpAddress> to_address(std::span<const std::uint8_t> octets) {
  IpAddress address;
  if (octets.size() == 4) {
    address = IpAddress::v4(octets.first<4>());
  } else {
    address = IpAddress::v6(octets.first<16>());
  }
  // What filters answer for names they block.
  if (address.is_unspecified()) return std::nullopt;
  return address;
}

std::string reason_of(const Answer& answer, bool unusable) {
  if (unusable) return "none of its addresses can be connected to";
  switch (answer.rcode) {
    case rcode::noerror:
      return "the name has no address";
    case rcode::nxdomain:
      return "the name does not exist (NXDOMAIN)";
    case rcode::servfail:
      return "the answer is SERVFAIL";
    case rcode::refused:
      return "the answer is REFUSED";
    default:
      return "the answer is RCODE " + std::to_string(answer.rcode);
  }
}

Duration refresh_after(std::uint32_t ttl) {
  const std::chrono::seconds life{ttl};
  return std::clamp(life - life / 10, refresh_interval_min, refresh_interval_max);
}

}  // namespace

Bootstrap::Bootstrap(Exchanges& exchanges, BootstrapEvents& events, const Instant& clock_now)
    : exchanges_(exchanges), events_(events), now_(clock_now) {
  exchanges_.set_events(*this);
}

void Bootstrap::set_hosts(const std::vector<std::string>& hosts, const HostAddresses& known) {
  std::vector<Host> old = std::exchange(hosts_, {});
  for (const std::string& name : hosts) {
    const auto same = [&](const Host& host) { return host.name == name; };
    if (std::any_of(hosts_.begin(), hosts_.end(), same)) continue;
    const auto before = std::find_if(old.begin(), old.end(), same);
    if (before != old.end()) {
      hosts_.push_back(std::move(*before));
      continue;
    }
    Host& host = hosts_.emplace_back();
    host.name = name;
    host.number = next_number_++;
    host.due = now_;
    const auto kept = known.find(name);
    if (kept == known.end()) continue;
    for (const IpAddress& address : kept->second) {
      host.families[address.is_v4() ? 0 : 1].addresses.push_back(address);
    }
    host.published = kept->second;
  }
  on_network_change();  // there may be other servers to ask now
}

void Bootstrap::on_network_change() {
  for (Host& host : hosts_) {
    if (host.fresh || host.due == never) continue;
    host.due = now_;
    host.retry = bootstrap_retry_first;
  }
}

HostAddresses Bootstrap::addresses() const {
  HostAddresses all;
  for (const Host& host : hosts_) {
    if (!host.published.empty()) all[host.name] = host.published;
  }
  return all;
}

Instant Bootstrap::next_deadline() const {
  Instant deadline = never;
  for (const Host& host : hosts_) deadline = std::min(deadline, host.due);
  return deadline;
}

void Bootstrap::on_deadline() {
  for (Host& host : hosts_) {
    if (host.due <= now_) ask(host);
  }
}

void Bootstrap::ask(Host& host) {
  const auto name = name_from_text(host.name);
  assert(name && "the configuration takes host names only");
  host.due = never;
  host.reason.clear();
  for (Family& family : host.families) family.asked = true;
  for (std::size_t i = 0; i < host.families.size(); ++i) {
    exchanges_.start(Question(name->octets(), family_types[i], rclass::in, {}),
                     host.number * host.families.size() + i);
  }
}

Bootstrap::Host* Bootstrap::find(std::uint64_t token) {
  const auto found = std::find_if(hosts_.begin(), hosts_.end(), [token](const Host& host) {
    return host.number == token / host.families.size();
  });
  return found == hosts_.end() ? nullptr : &*found;
}

void Bootstrap::on_answer(std::uint64_t token, const Question& question, Answer& answer) {
  Host* host = find(token);
  if (host == nullptr) return;
  const AddressRecords records = find_addresses(answer, question);
  std::vector<IpAddress> addresses;
  for (const auto& octets : records.addresses) {
    const auto address = to_address(octets);
    if (address && addresses.size() < family_addresses_max) addresses.push_back(*address);
  }
  Family& family = family_of(*host, token);
  if (answer.rcode == rcode::noerror && !addresses.empty()) {
    // Servers turn them round; connections should not follow.
    std::sort(addresses.begin(), addresses.end());
    family.addresses = std::move(addresses);
    family.ttl = records.ttl;
    note_answered(*host, family, Family::Outcome::found, {});
    return;
  }
  const bool said_none = answer.rcode == rcode::noerror || answer.rcode == rcode::nxdomain;
  note_answered(*host, family, said_none ? Family::Outcome::none : Family::Outcome::failed,
                reason_of(answer, !records.addresses.empty()));
}

void Bootstrap::on_failure(std::uint64_t token, const Question&, const ExchangeFailure& failure) {
  if (Host* host = find(token)) {
    note_answered(*host, family_of(*host, token), Family::Outcome::failed, failure.ede_text);
  }
}

void Bootstrap::note_answered(Host& host, Family& family, Family::Outcome outcome,
                              std::string_view reason) {
  family.asked = false;
  family.outcome = outcome;
  if (host.reason.empty()) host.reason = reason;
  if (outcome == Family::Outcome::found && publish(host)) {
    host.fresh = true;
    events_.on_bootstrap({.kind = BootstrapEvent::Kind::resolved,
                          .host = host.name,
                          .addresses = host.published,
                          .changed = true,
                          .ttl = family.ttl});
  }
  const bool round_over = std::none_of(host.families.begin(), host.families.end(),
                                       [](const Family& each) { return each.asked; });
  if (round_over) finish_round(host);
}

bool Bootstrap::publish(Host& host) {
  std::vector<IpAddress> addresses;
  for (const Family& family : host.families) {
    addresses.insert(addresses.end(), family.addresses.begin(), family.addresses.end());
  }
  if (addresses == host.published) return false;
  host.published = std::move(addresses);
  return true;
}

void Bootstrap::finish_round(Host& host) {
  using Outcome = Family::Outcome;
  const auto any = [&host](Outcome outcome) {
    return std::any_of(host.families.begin(), host.families.end(),
                       [outcome](const Family& family) { return family.outcome == outcome; });
  };
  if (!any(Outcome::found)) {
    host.fresh = false;
    host.due = now_ + host.retry;
    host.retry = std::min(2 * host.retry, bootstrap_retry_max);
    events_.on_bootstrap(
        {.kind = host.published.empty() ? BootstrapEvent::Kind::failed : BootstrapEvent::Kind::kept,
         .host = host.name,
         .addresses = host.published,
         .reason = host.reason});
    return;
  }
  std::uint32_t ttl = 0xFFFF'FFFF;
  for (Family& family : host.families) {
    // That there are none is believed while the other family has some.
    if (family.outcome == Outcome::none) family.addresses.clear();
    if (family.outcome == Outcome::found) ttl = std::min(ttl, family.ttl);
  }
  host.due = now_ + (any(Outcome::failed) ? Duration(refresh_interval_min) : refresh_after(ttl));
  host.retry = bootstrap_retry_first;
  const bool changed = publish(host);
  const bool news = changed || !std::exchange(host.fresh, true);
  events_.on_bootstrap(
      {.kind = news ? BootstrapEvent::Kind::resolved : BootstrapEvent::Kind::refreshed,
       .host = host.name,
       .addresses = host.published,
       .changed = changed,
       .ttl = ttl});
}

}  // namespace sotto
