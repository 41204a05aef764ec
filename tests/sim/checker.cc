#include "checker.h"

#include <algorithm>

#include "dns/constants.h"
#include "dns/name.h"
#include "forwarder/forwarder.h"
#include "oracle.h"
#include "upstream/exchange.h"
#include "upstream/pool.h"

namespace sotto::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Beyond a query's timeout: what a turn may come late.
constexpr Duration timeout_slack = milliseconds{20};
// Connections opened to one endpoint, beside those that take the place of one that was of use.
constexpr std::size_t opened_per_second_max = 30;
constexpr std::size_t opened_per_ten_seconds_max = 150;
constexpr unsigned turns_per_millisecond_max = 50;
// So soon after a change or a sleep connections that have lost their path are closed.
constexpr Duration path_change_noticed = milliseconds{100};
constexpr std::uint32_t stale_ttl_max = 30;  // RFC 8767 §4

Duration in_seconds(std::uint32_t ttl) {
  return seconds{ttl};
}

std::size_t since(const std::deque<Instant>& times, Instant begin) {
  return static_cast<std::size_t>(times.end() -
                                  std::lower_bound(times.begin(), times.end(), begin));
}

std::string text_of(const Message& message) {
  return name_to_text(message.name) + " type " + std::to_string(message.type);
}

bool same_records(const std::vector<Record>& left, const std::vector<Record>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const Record& one, const Record& other) {
                      return lower_case(one.owner) == lower_case(other.owner) &&
                             one.type == other.type && one.rdata == other.rdata;
                    });
}

}  // namespace

void Tally::add(const Tally& other) {
  queries += other.queries;
  answered += other.answered;
  failed += other.failed;
  stale += other.stale;
  sends += other.sends;
  connections += other.connections;
  slowest = std::max(slowest, other.slowest);
}

void Checker::fail(const char* invariant, const std::string& text) {
  if (!failure_) failure_ = Failure{invariant, text};
}

// --- the network's side -------------------------------------------------------------------------

void Checker::on_open(std::uint64_t flow, unsigned endpoint, unsigned worker) {
  ++tally_.connections;
  flows_[flow] = {.endpoint = endpoint, .worker = worker};
  if (!configured_.contains(endpoint)) {
    fail("leak",
         "a connection to endpoint " + std::to_string(endpoint) + ", which is not configured");
  }
  opened_[endpoint].push_back(now_);
  check_open_budget(endpoint);
  const unsigned upstream = settings_.upstream_of(endpoint);
  std::size_t open = 0;
  for (const auto& [id, other] : flows_) {
    if (!other.ended && settings_.upstream_of(other.endpoint) == upstream) ++open;
  }
  // Those that a configuration left behind finish what they carry.
  if (open > 2 * connections_per_upstream_max) {
    fail("state", std::to_string(open) + " connections to one upstream");
  }
}

void Checker::check_open_budget(unsigned endpoint) {
  std::deque<Instant>& opened = opened_[endpoint];
  std::deque<Instant>& fulfilled = fulfilled_[endpoint];
  for (std::deque<Instant>* times : {&opened, &fulfilled}) {
    while (!times->empty() && times->front() < now_ - seconds{10}) times->pop_front();
  }
  const std::size_t second = since(opened, now_ - seconds{1});
  if (second > opened_per_second_max + since(fulfilled, now_ - seconds{1}) ||
      opened.size() > opened_per_ten_seconds_max + fulfilled.size()) {
    fail("storm", std::to_string(second) + " connections to endpoint " + std::to_string(endpoint) +
                      " within a second, " + std::to_string(opened.size()) + " within ten, " +
                      std::to_string(fulfilled.size()) + " that were of use ended");
  }
}

void Checker::on_flow_ended(std::uint64_t id, bool by_us) {
  Flow& flow = flows_.at(id);
  flow.ended = true;
  flow.ended_by_us = by_us;
  flow.path_gone = by_us && now_ - path_changed_ < path_change_noticed;
  if (flow.heard > 0) fulfilled_[flow.endpoint].push_back(now_);
}

void Checker::on_sent(std::uint64_t flow, const Message& query) {
  ++tally_.sends;
  if (query.name.size() == 1) return;  // the root: how sotto asks whether a server answers
  const auto found = known_.find({lower_case(query.name), query.type});
  if (found == known_.end()) {
    fail("leak", "asks for what no client asked: " + text_of(query));
    return;
  }
  Known& known = found->second;
  if (known.sends.size() >= sends_max && known.asked == 1) {
    fail("budget", "a query was sent once too often in all");
  }
  if (known.asked > 1) settle(found->first, known);
  check_send_budget(known, flows_.at(flow));
  known.sends.push_back({flow, settings_.upstream_of(flows_.at(flow).endpoint), now_});
}

// Only those sends are excused whose connection died, or whose path had gone.
bool Checker::excused(const Send& send) const {
  const Flow& flow = flows_.at(send.flow);
  return flow.ended && (!flow.ended_by_us || flow.path_gone);
}

void Checker::on_wrong(std::uint64_t flow, const Message& query) {
  const auto found = known_.find({lower_case(query.name), query.type});
  if (found == known_.end()) return;
  std::vector<Send>& sends = found->second.sends;
  const auto send = std::find_if(sends.begin(), sends.end(), [flow](const Send& one) {
    return one.flow == flow && !one.wrong && !one.formerr;  // what was answered is out of it
  });
  if (send != sends.end()) send->wrong = true;
}

void Checker::on_formerr(std::uint64_t flow, Known& known) {
  const auto send = std::find_if(known.sends.begin(), known.sends.end(), [flow](const Send& one) {
    return one.flow == flow && !one.formerr && !one.wrong;
  });
  if (send != known.sends.end()) send->formerr = true;
}

// An exchange that began when somebody asked has ended a timeout later: by itself if its client has
// gone, or got what was known before. For those that wait it ends with a failure, see
// on_response().
void Checker::settle(const Key& key, Known& known) {
  for (const Asked& asked : asked_) {
    if (asked.query.type != key.second || lower_case(asked.query.name) != key.first) continue;
    const Instant ends = asked.at + milliseconds{settings_.timeout};
    if (ends <= now_) known.settled = std::max(known.settled, ends);
  }
}

// However many clients ask, and however often: until an exchange of this question has failed (RFC
// 9520 §3.1), each worker sends it to an upstream three times at most.
void Checker::check_send_budget(const Known& known, const Flow& flow) {
  if (asked_anew_ != Instant{} && now_ - asked_anew_ < milliseconds{settings_.timeout}) return;
  const unsigned upstream = settings_.upstream_of(flow.endpoint);
  std::size_t counted = 0;
  std::size_t wrong = 0;
  for (const Send& send : known.sends) {
    const bool others = send.upstream != upstream || flows_.at(send.flow).worker != flow.worker;
    // What failed began something new for whoever asked again, once it was not held any more.
    const bool over = send.at < known.settled || (send.failed && known.asked > 1);
    if (!others && !over && !send.formerr && !excused(send)) ++(send.wrong ? wrong : counted);
  }
  if (counted + wrong >= sends_per_upstream_max + std::min(wrong, wrong_excused_max)) {
    fail("budget", "a question was sent once too often to upstream " + std::to_string(upstream));
  }
}

void Checker::on_heard(std::uint64_t id, const Message& query, const Message* answer,
                       std::uint16_t rcode) {
  Flow& flow = flows_.at(id);
  ++flow.heard;
  if (query.name.size() == 1) return;
  Known& known = known_[{lower_case(query.name), query.type}];
  for (Send& send : known.sends) send.failed = send.failed || send.flow == id;
  if (rcode == rcode::formerr) on_formerr(id, known);
  if (rcode == rcode::servfail || rcode == rcode::refused) {
    known.refused_by.insert(settings_.upstream_of(flow.endpoint));
  }
  if (answer == nullptr || rcode == rcode::servfail || rcode == rcode::refused ||
      rcode == rcode::formerr) {
    return;
  }
  known.heard = true;
  known.settled = now_;
  const TtlBounds bounds = ttl_bounds(*answer);
  known.lowest_expiry = std::max(known.lowest_expiry, now_ + in_seconds(bounds.lowest));
  known.highest_expiry = std::max(known.highest_expiry, now_ + in_seconds(bounds.highest));
}

// --- the clients' side --------------------------------------------------------------------------

std::size_t Checker::asked(const QueryEntry& entry, Message query) {
  ++tally_.queries;
  ++known_[{lower_case(query.name), query.type}].asked;
  asked_.push_back({entry, std::move(query), now_, awake(), healed_});
  return asked_.size() - 1;
}

bool Checker::gone(std::size_t number) const {
  const Asked& asked = asked_[number];
  return asked.entry.leaves > 0 && now_ >= asked.at + milliseconds{asked.entry.leaves};
}

std::size_t Checker::unanswered() const {
  return static_cast<std::size_t>(
      std::count_if(asked_.begin(), asked_.end(),
                    [](const Asked& asked) { return !asked.answered && asked.entry.leaves == 0; }));
}

void Checker::on_response(std::size_t number, std::span<const std::uint8_t> octets) {
  Asked& asked = asked_[number];
  if (asked.answered) fail("once", "a second response to " + text_of(asked.query));
  asked.answered = true;
  tally_.slowest = std::max(tally_.slowest, awake() - asked.awake);
  if (settings_.promptly > 0 && awake() - asked.awake > milliseconds{settings_.promptly}) {
    fail("prompt", "an answer late for no reason to " + text_of(asked.query));
  }
  const auto response = read_message(octets);
  if (!response) {
    fail("right", "a response cannot be read");
    return;
  }
  trace_.note("response, client, name and rcode", asked.entry.client, asked.entry.name,
              response->rcode());
  if (response->id != asked.query.id || response->name != asked.query.name ||
      response->type != asked.query.type || (response->flags & flag::response) == 0) {
    fail("right", "ID or question of the response to " + text_of(asked.query) + " are not its own");
  }
  if (response->edns != asked.query.edns) fail("right", "OPT where there should be none, or none");
  if (response->rcode() == rcode::servfail || response->rcode() == rcode::refused) {
    check_failure(asked, *response);
  } else {
    check_answer(asked, *response);
  }
}

void Checker::check_answer(const Asked& asked, const Message& response) {
  ++tally_.answered;
  const Truth truth = truth_of(lower_case(asked.query.name), asked.query.type);
  const bool truncated = (response.flags & flag::truncated) != 0;
  // Twenty addresses of sixteen octets do not fit into what a client without EDNS takes.
  const bool large = truth.answers.size() >= 20 && asked.query.type != rtype::a;
  if (truncated && large && !asked.query.edns && asked.entry.leaves == 0) return;
  if (response.rcode() != truth.rcode || truncated) {
    fail("right", "flags " + std::to_string(response.flags) + " of the response to " +
                      text_of(asked.query) + ", rcode " + std::to_string(truth.rcode) + " is true");
  }
  if (!same_records(response.answers, truth.answers) ||
      !same_records(response.authority, truth.authority)) {
    fail("right", "records of the response to " + text_of(asked.query) + " are not the truth");
  }
  check_ttls(asked, response);
}

// A TTL counts from when sotto heard it, and no answer lives longer than its lowest one.
void Checker::check_ttls(const Asked& asked, const Message& response) {
  Known& known = known_[{lower_case(asked.query.name), asked.query.type}];
  if (!known.heard) {
    fail("right", "an answer nobody has given to " + text_of(asked.query));
    return;
  }
  if (response.answers.empty() && response.authority.empty()) return;
  std::uint32_t lowest = UINT32_MAX;
  std::uint32_t highest = 0;
  for (const auto* section : {&response.answers, &response.authority}) {
    for (const Record& record : *section) {
      lowest = std::min(lowest, record.ttl);
      highest = std::max(highest, record.ttl);
    }
  }
  const bool stale = response.ede == ede::stale_answer || response.ede == ede::stale_nxdomain;
  const Duration rounding = seconds{1};
  // To one that waited, but not for as long as that takes: its exchange has failed.
  const bool failed = asked.at < now_ && now_ - asked.at < stale_client_timeout;
  if (failed && settings_.stale > 0 && highest <= stale_ttl_max) known.settled = now_;
  if (stale) {
    ++tally_.stale;
    if (highest > stale_ttl_max || settings_.stale == 0 ||
        now_ > known.lowest_expiry + seconds{settings_.stale} + rounding) {
      fail("cache", "a stale answer out of bounds to " + text_of(asked.query));
    }
    return;
  }
  // Without EDNS a stale answer cannot be told, but by its TTL.
  const bool maybe_stale = !asked.query.edns && settings_.stale > 0 && highest <= stale_ttl_max;
  if (maybe_stale) return;
  if (now_ + in_seconds(lowest) > known.lowest_expiry + rounding ||
      now_ + in_seconds(highest) > known.highest_expiry + rounding) {
    fail("cache", "a TTL of " + std::to_string(lowest) + " to " + std::to_string(highest) +
                      " s outlives what any upstream said of " + text_of(asked.query));
  }
}

void Checker::check_failure(const Asked& asked, const Message& response) {
  ++tally_.failed;
  Known& known = known_[{lower_case(asked.query.name), asked.query.type}];
  known.settled = now_;
  if (response.rcode() == rcode::refused && known.refused_by.empty()) {
    fail("right", "REFUSED, which nobody said, to " + text_of(asked.query));
  }
  if (asked.query.edns && !response.ede && known.refused_by.empty()) {
    fail("reason", "SERVFAIL without a reason to " + text_of(asked.query));
  }
  // A failure is asked about elsewhere once, and then it is the answer.
  // Nor does one group make up for what another one says.
  if (known.refused_by.size() >= 2) return;
  const bool may_be_alone = settings_.groups.size() > 1 || settings_.upstreams.size() == 1;
  if (!known.refused_by.empty() && may_be_alone) return;
  if (settings_.never_fails) fail("success", "a failure to " + text_of(asked.query));
  if (asked.after_heal) fail("heal", "a failure after all was well to " + text_of(asked.query));
}

void Checker::on_turn(bool idle) {
  while (oldest_unanswered_ < asked_.size() &&
         (asked_[oldest_unanswered_].answered || gone(oldest_unanswered_))) {
    ++oldest_unanswered_;
  }
  if (oldest_unanswered_ < asked_.size()) {
    const Asked& oldest = asked_[oldest_unanswered_];
    if (awake() - oldest.awake > milliseconds{settings_.timeout} + timeout_slack) {
      fail("bounded", "no response in time to " + text_of(oldest.query));
    }
  }
  if (now_ - turns_since_ >= milliseconds{1}) {
    turns_since_ = now_;
    turns_ = 0;
  }
  if (idle) ++turns_;
  if (turns_ > turns_per_millisecond_max) fail("spin", "turn after turn with nothing to do");
}

}  // namespace sotto::sim
