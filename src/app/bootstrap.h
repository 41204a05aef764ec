// The addresses of upstreams given by host name: asked of other upstreams, over the machinery that
// serves clients, and asked again before they run out. Decides; has no socket and no clock.
// See doc/decisions/0022. Test: tests/unit/app/bootstrap_test.cc.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dns/name.h"
#include "transport/address.h"
#include "upstream/exchanges.h"

namespace sotto {

// Addresses are asked for again when nine tenths of their TTL are over, but not more often and not
// less often than this.
inline constexpr std::chrono::seconds refresh_interval_min{30};
inline constexpr std::chrono::seconds refresh_interval_max{86'400};
// After a failure, doubling, for ever.
inline constexpr std::chrono::seconds bootstrap_retry_first{1};
inline constexpr std::chrono::seconds bootstrap_retry_max{10};
// Of one host and family; what an answer has more of is not used.
inline constexpr std::size_t family_addresses_max = 16;

using HostAddresses = std::map<std::string, std::vector<IpAddress>>;

// What becomes of a host. Views are valid during the call.
struct BootstrapEvent {
  enum class Kind : std::uint8_t {
    resolved,   // addresses, now in use, differ from those before; or they could not be had before
    refreshed,  // nothing new
    failed,     // there is no address to use
    kept,       // those found last stay in use
  };
  Kind kind;
  std::string_view host;
  const std::vector<IpAddress>& addresses;
  bool changed = false;          // the addresses did
  std::uint32_t ttl = 0;         // seconds, with resolved and refreshed
  std::string_view reason = {};  // with failed and kept
};

class BootstrapEvents {
 public:
  virtual void on_bootstrap(const BootstrapEvent& event) = 0;

 protected:
  ~BootstrapEvents() = default;
};

class Bootstrap final : public ExchangeEvents {
 public:
  // All outlive this object. Takes the exchanges' events.
  Bootstrap(Exchanges& exchanges, BootstrapEvents& events, const Instant& clock_now);

  // Asks for new ones at once, and forgets those not named. known: addresses from before a restart,
  // used until fresher ones come.
  void set_hosts(const std::vector<std::string>& hosts, const HostAddresses& known);
  // What failed is asked for again at once.
  void on_network_change();

  // Of all hosts that have any.
  HostAddresses addresses() const;

  Instant next_deadline() const;
  void on_deadline();

  // ExchangeEvents
  void on_answer(std::uint64_t token, const Question& question, Answer& answer) override;
  void on_failure(std::uint64_t token, const Question& question,
                  const ExchangeFailure& failure) override;
  void on_upstreams_back() override {}

 private:
  // What the last answer for one family said.
  struct Family {
    enum class Outcome : std::uint8_t { found, none, failed };
    bool asked = false;  // and not yet answered
    Outcome outcome = Outcome::failed;
    std::vector<IpAddress> addresses;  // the last that were good, in order
    std::uint32_t ttl = 0;             // seconds, of those found
  };
  struct Host {
    std::string name;
    std::uint64_t number = 0;        // never used twice, so that late answers are found to be so
    std::array<Family, 2> families;  // IPv4, IPv6: both are asked for in one round
    std::vector<IpAddress> published;
    bool fresh = false;  // the last answer was good
    Instant due{};       // the next round; never during one
    std::chrono::seconds retry = bootstrap_retry_first;
    std::string reason;  // why this round fails, if it does
  };

  void ask(Host& host);
  // The host and family whose exchange this is; null if it is forgotten.
  Host* find(std::uint64_t token);
  static Family& family_of(Host& host, std::uint64_t token) { return host.families[token % 2]; }
  void note_answered(Host& host, Family& family, Family::Outcome outcome, std::string_view reason);
  void finish_round(Host& host);
  // The addresses differ from those published.
  bool publish(Host& host);

  Exchanges& exchanges_;
  BootstrapEvents& events_;
  const Instant& now_;
  std::vector<Host> hosts_;
  std::uint64_t next_number_ = 0;
};

}  // namespace sotto
