#include "network.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "dns/constants.h"
#include "dns/wire.h"
#include "oracle.h"

namespace sotto::sim {
namespace {

using std::chrono::milliseconds;

// RFC 6298: when an unanswered SYN is sent again, since the first.
constexpr std::array<milliseconds, 3> syn_again = {milliseconds{1'000}, milliseconds{3'000},
                                                   milliseconds{7'000}};

}  // namespace

class Network::FlowLink final : public Link {
 public:
  FlowLink(Network& network, std::uint64_t id) : network_(network), id_(id) {}
  ~FlowLink() override { forget(); }
  FlowLink(const FlowLink&) = delete;
  FlowLink& operator=(const FlowLink&) = delete;

  void write(std::span<const std::uint8_t> plaintext) override { network_.write(id_, plaintext); }
  void acknowledge() override {}  // paths here never wait for it
  void close() override { forget(); }

 private:
  void forget() {
    if (network_.flows_.erase(id_) > 0) network_.checker_.on_flow_ended(id_, true);
  }

  Network& network_;
  const std::uint64_t id_;
};

Network::Network(const Parts& parts)
    : queue_(parts.queue),
      now_(parts.now),
      settings_(parts.settings),
      checker_(parts.checker),
      trace_(parts.trace),
      noise_(parts.noise),
      match_by_id_only_(parts.match_by_id_only),
      servers_(settings_.endpoint_count(), Server(noise_, now_)) {
  for (unsigned worker = 0; worker < settings_.workers; ++worker) {
    openers_.emplace_back(*this, worker);
  }
}

Network::Flow* Network::find(std::uint64_t id) {
  const auto found = flows_.find(id);
  return found == flows_.end() ? nullptr : found->second.get();
}

std::vector<std::uint64_t> Network::flows_of(unsigned endpoint) const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, flow] : flows_) {
    if (flow->endpoint == endpoint) ids.push_back(id);
  }
  return ids;
}

Duration Network::one_way(unsigned endpoint) {
  const UpstreamSetting& upstream = settings_.upstreams[settings_.upstream_of(endpoint)];
  Duration time = milliseconds{upstream.latency} +
                  std::chrono::microseconds{noise_.below(upstream.jitter * 1'000 + 1)};
  const Conditions& conditions = servers_[endpoint].conditions;
  if (conditions.on(Fault::slow, now_)) time += milliseconds{conditions.amount(Fault::slow)};
  return time;
}

// --- connecting ---------------------------------------------------------------------------------

std::unique_ptr<Link> Network::open(unsigned worker, const EndpointSpec& endpoint,
                                    LinkEvents& events) {
  const std::uint64_t id = next_id_++;
  const unsigned number = endpoint.identity.endpoint.port - unsigned{first_port};
  checker_.on_open(id, number, worker);
  auto flow = std::make_unique<Flow>();
  flow->endpoint = number;
  flow->worker = worker;
  flow->events = &events;
  flow->began = now_;
  flows_.emplace(id, std::move(flow));
  trace_.note("opens, endpoint and connection", number, id);
  const Conditions& conditions = servers_[number].conditions;
  if (conditions.on(Fault::no_route, now_)) {
    queue_.at(now_, [this, id] { end(id, FailureKind::no_route, "no route"); });
  } else {
    queue_.at(now_ + one_way(number) + one_way(number), [this, id] { connect(id, 0); });
  }
  return std::make_unique<FlowLink>(*this, id);
}

std::string Network::path_to(const EndpointSpec& endpoint) const {
  const unsigned number = endpoint.identity.endpoint.port - unsigned{first_port};
  if (servers_[number].conditions.on(Fault::no_route, now_)) return "";
  return "192.0.2." + std::to_string(local_address_);
}

void Network::connect(std::uint64_t id, unsigned attempt) {
  Flow* flow = find(id);
  if (flow == nullptr || flow->forgotten) return;
  if (on(*flow, Fault::connect_hole)) {
    if (attempt == syn_again.size()) return;
    const Instant again = std::max(now_, flow->began + syn_again[attempt]);
    queue_.at(again + one_way(flow->endpoint), [this, id, attempt] { connect(id, attempt + 1); });
    return;
  }
  if (on(*flow, Fault::refuse)) {
    end(id, FailureKind::transport, "connection refused");
    return;
  }
  Duration handshake = one_way(flow->endpoint) + one_way(flow->endpoint);
  if (on(*flow, Fault::slow_handshake)) {
    handshake += milliseconds{server_of(*flow).conditions.amount(Fault::slow_handshake)};
  }
  queue_.at(now_ + handshake, [this, id] { finish_handshake(id); });
  trace_.note("TCP connected", id);
  tell(*flow).on_tcp_connected();
}

void Network::finish_handshake(std::uint64_t id) {
  Flow* flow = find(id);
  if (flow == nullptr || flow->forgotten) return;
  const Conditions& conditions = server_of(*flow).conditions;
  const Instant held =
      std::max(conditions.until(Fault::handshake_hole), conditions.until(Fault::silence));
  if (now_ < held) {
    queue_.at(held + one_way(flow->endpoint), [this, id] { finish_handshake(id); });
    return;
  }
  if (on(*flow, Fault::bad_certificate)) {
    end(id, FailureKind::authentication, "the certificate is not for this name");
    return;
  }
  const unsigned endpoint = flow->endpoint;
  flow->ready = true;
  flow->last_use = now_;
  const bool resumed = !on(*flow, Fault::no_resumption) && tickets_.contains(endpoint);
  tickets_.insert(endpoint);
  if (on(*flow, Fault::fin_at_once)) push_fin(id, *flow);
  watch_idle(id, *flow);
  trace_.note("ready, connection and whether resumed", id, resumed);
  LinkReady ready;
  ready.resumed = resumed;
  ready.description = "simulated";
  tell(*flow).on_link_ready(ready);
}

void Network::end(std::uint64_t id, FailureKind kind, const char* reason) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return;
  LinkEvents& events = tell(*found->second);
  trace_.note(reason, id);
  flows_.erase(found);
  checker_.on_flow_ended(id, false);
  events.on_link_closed({kind, reason, true});
}

// --- octets -------------------------------------------------------------------------------------

void Network::write(std::uint64_t id, std::span<const std::uint8_t> octets) {
  Flow* flow = find(id);
  if (flow == nullptr) return;
  assert(flow->ready);
  note_queries(id, *flow, octets);
  push(id, *flow, true, {now_ + one_way(flow->endpoint), {octets.begin(), octets.end()}});
}

// What sotto asks is judged when it leaves, whether or not it ever arrives.
void Network::note_queries(std::uint64_t id, Flow& flow, std::span<const std::uint8_t> octets) {
  std::memcpy(flow.written.space(octets.size()).data(), octets.data(), octets.size());
  flow.written.filled(octets.size());
  while (const auto message = flow.written.next()) {
    const auto query = read_message(*message);
    if (!query || flow.unanswered.contains(query->id)) {
      checker_.fail("wire", query ? "an ID in use was used again" : "a query cannot be read");
      return;
    }
    trace_.note("asks, endpoint, connection, ID and name", flow.endpoint, id, query->id,
                number_of_name(query->name));
    flow.unanswered.emplace(query->id, Octets(message->begin(), message->end()));
    checker_.on_sent(id, *query);
  }
}

void Network::push(std::uint64_t id, Flow& flow, bool up, Segment segment) {
  Stream& stream = up ? flow.up : flow.down;
  const Conditions& conditions = server_of(flow).conditions;
  if (conditions.hits(Fault::stall, now_, noise_)) segment.due += std::chrono::seconds{1};
  for (int lost = 0; lost < 4 && conditions.hits(Fault::loss, now_, noise_); ++lost) {
    segment.due += milliseconds{200 << lost};
  }
  // A stream stays in order.
  segment.due = std::max(segment.due, stream.last_due);
  stream.last_due = segment.due;
  queue_.at(segment.due, [this, id, up] { pump(id, up); });
  stream.segments.push_back(std::move(segment));
}

// In pieces as the network likes.
void Network::push_answer(std::uint64_t id, Flow& flow, Octets message) {
  if (match_by_id_only_ && message.size() > header_octets) {
    const auto answer = read_message(message);
    const auto asked = flow.unanswered.find(load16(message.data()));
    if (answer && asked != flow.unanswered.end()) {
      Message forged = *answer;
      const auto query = read_message(asked->second);
      forged.name = query->name;
      forged.type = query->type;
      message = write_message(forged);
    }
  }
  const Octets octets = framed(message);
  Instant due = now_ + one_way(flow.endpoint);
  const bool trickle = on(flow, Fault::trickle);
  for (std::size_t at = 0; at < octets.size();) {
    const std::size_t left = octets.size() - at;
    std::size_t count = noise_.below(3) > 0 ? left : 1 + noise_.below(left);
    if (trickle) count = 1;
    const auto begin = octets.begin() + static_cast<std::ptrdiff_t>(at);
    push(id, flow, false, {due, {begin, begin + static_cast<std::ptrdiff_t>(count)}});
    due += std::chrono::microseconds{noise_.below(500)};
    at += count;
  }
}

void Network::push_fin(std::uint64_t id, Flow& flow) {
  if (flow.server_closed) return;
  flow.server_closed = true;
  push(id, flow, false, {now_ + one_way(flow.endpoint), {}, true});
}

Instant Network::held_until(const Flow& flow, bool up) {
  const Conditions& conditions = server_of(flow).conditions;
  const Instant silence = conditions.until(Fault::silence);
  return up ? std::max(silence, conditions.until(Fault::zero_window)) : silence;
}

void Network::pump(std::uint64_t id, bool up) {
  while (Flow* flow = find(id)) {
    Stream& stream = up ? flow->up : flow->down;
    if (stream.segments.empty() || stream.segments.front().due > now_) return;
    if (const Instant held = held_until(*flow, up); now_ < held) {
      queue_.at(held, [this, id, up] { pump(id, up); });
      return;
    }
    const Segment segment = std::move(stream.segments.front());
    stream.segments.pop_front();
    if (flow->forgotten) continue;
    if (segment.fin) {
      end(id, FailureKind::none, "closed by the server");
    } else if (up) {
      deliver_up(id, *flow, segment.octets);
    } else {
      deliver_down(id, *flow, segment.octets);
    }
  }
}

void Network::deliver_up(std::uint64_t id, Flow& flow, const Octets& octets) {
  if (flow.server_closed) return;
  std::memcpy(flow.at_server.space(octets.size()).data(), octets.data(), octets.size());
  flow.at_server.filled(octets.size());
  while (const auto message = flow.at_server.next()) {
    flow.last_use = now_;
    Server& server = server_of(flow);
    if (!server.answers()) continue;
    ++flow.pending;
    Octets query(message->begin(), message->end());
    queue_.at(now_ + server.thinks(), [this, id, query = std::move(query)] { respond(id, query); });
  }
}

void Network::respond(std::uint64_t id, const Octets& query) {
  Flow* flow = find(id);
  if (flow == nullptr || flow->server_closed) return;
  Server& server = server_of(*flow);
  --flow->pending;
  flow->last_use = now_;
  for (Octets& message : server.respond(*read_message(query), flow->kept, flow->pending > 0)) {
    push_answer(id, *flow, std::move(message));
  }
  ++flow->answered;
  if (on(*flow, Fault::fin_after) && flow->answered >= server.conditions.amount(Fault::fin_after)) {
    push_fin(id, *flow);
  }
  watch_idle(id, *flow);
}

void Network::deliver_down(std::uint64_t id, Flow& flow, const Octets& octets) {
  std::memcpy(flow.heard.space(octets.size()).data(), octets.data(), octets.size());
  flow.heard.filled(octets.size());
  while (const auto octets_heard = flow.heard.next()) {
    checker_.on_message(id);
    if (octets_heard->size() < header_octets) continue;
    const std::uint16_t answer_id = load16(octets_heard->data());
    const auto asked = flow.unanswered.find(answer_id);
    const auto answer = read_message(*octets_heard);
    if (asked == flow.unanswered.end()) {
      if (answer) checker_.on_wrong(id, *answer);
      continue;
    }
    const auto query = read_message(asked->second);
    const bool right = answer && lower_case(answer->name) == lower_case(query->name) &&
                       answer->type == query->type;
    // A header without a question, which says only that it failed.
    const bool bare =
        octets_heard->size() == header_octets && load16(octets_heard->data() + 4) == 0;
    if (!right && !bare) {
      checker_.on_wrong(id, *query);
      if (answer) checker_.on_wrong(id, *answer);
      continue;
    }
    trace_.note("is answered, connection and ID", id, answer_id);
    checker_.on_heard(id, *query, right ? &*answer : nullptr,
                      load16(octets_heard->data() + 2) & flag::rcode_mask);
    flow.unanswered.erase(asked);
  }
  LinkEvents& events = tell(flow);
  std::memcpy(events.plaintext_space(octets.size()).data(), octets.data(), octets.size());
  events.on_plaintext(octets.size());
}

}  // namespace sotto::sim
