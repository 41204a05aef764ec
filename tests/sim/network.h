// The network between sotto and its upstreams: connections as pairs of octet streams, cut and
// delayed at will, handshakes that succeed or not, and the resolvers at the other end.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "checker.h"
#include "dns/framing.h"
#include "event_queue.h"
#include "scenario.h"
#include "server.h"
#include "trace.h"
#include "upstream/upstream.h"

namespace sotto::sim {

// The endpoints' port numbers tell them apart.
inline constexpr std::uint16_t first_port = 1'000;

class Network {
 public:
  struct Parts {
    EventQueue& queue;
    const Instant& now;
    const Settings& settings;
    Checker& checker;
    Trace& trace;
    Random& noise;
    // A planted bug: whatever has the ID of a query in flight passes for its answer.
    bool match_by_id_only = false;
  };
  explicit Network(const Parts& parts);

  // Of an endpoint, or Fault::network_change; the other faults of the host are none of the
  // network's.
  void begin(const FaultEntry& entry);
  std::size_t connections() const { return flows_.size(); }

  // By which a worker opens its connections; valid as long as this object.
  LinkOpener& opener_of(unsigned worker) { return openers_[worker]; }
  // The workers that were told something since the last call, as bits.
  unsigned take_told() { return std::exchange(told_, 0U); }

 private:
  struct Segment {
    Instant due;
    Octets octets;
    bool fin = false;
  };
  struct Stream {
    std::deque<Segment> segments;
    Instant last_due{};
  };
  struct Flow {
    unsigned endpoint = 0;
    unsigned worker = 0;
    LinkEvents* events = nullptr;
    Instant began{};
    bool ready = false;
    bool forgotten = false;      // nothing passes any more, and nobody knows
    bool server_closed = false;  // the server has said all it will
    Stream up, down;
    StreamFramer written, at_server, heard;
    std::map<std::uint16_t, Octets> unanswered;  // by ID: the query
    std::size_t pending = 0;                     // queries the server has yet to answer
    unsigned answered = 0;
    Instant last_use{};
    bool watched = false;  // watch_idle() will be called
    Octets kept;           // see Server::respond()
  };
  class FlowLink;
  class Opener final : public LinkOpener {
   public:
    Opener(Network& network, unsigned worker) : network_(network), worker_(worker) {}
    std::unique_ptr<Link> open(const EndpointSpec& endpoint, LinkEvents& events) override {
      return network_.open(worker_, endpoint, events);
    }
    std::string path_to(const EndpointSpec& endpoint) override {
      return network_.path_to(endpoint);
    }

   private:
    Network& network_;
    const unsigned worker_;
  };

  std::unique_ptr<Link> open(unsigned worker, const EndpointSpec& endpoint, LinkEvents& events);
  std::string path_to(const EndpointSpec& endpoint) const;
  // Before every call.
  LinkEvents& tell(const Flow& flow) {
    told_ |= 1U << flow.worker;
    return *flow.events;
  }

  Flow* find(std::uint64_t id);
  Server& server_of(const Flow& flow) { return servers_[flow.endpoint]; }
  bool on(const Flow& flow, Fault fault) { return server_of(flow).conditions.on(fault, now_); }
  Duration one_way(unsigned endpoint);
  void connect(std::uint64_t id, unsigned attempt);
  void finish_handshake(std::uint64_t id);
  void write(std::uint64_t id, std::span<const std::uint8_t> octets);
  void note_queries(std::uint64_t id, Flow& flow, std::span<const std::uint8_t> octets);
  void push(std::uint64_t id, Flow& flow, bool up, Segment segment);
  void push_answer(std::uint64_t id, Flow& flow, Octets message);
  void push_fin(std::uint64_t id, Flow& flow);
  void pump(std::uint64_t id, bool up);
  Instant held_until(const Flow& flow, bool up);
  void deliver_up(std::uint64_t id, Flow& flow, const Octets& octets);
  void deliver_down(std::uint64_t id, Flow& flow, const Octets& octets);
  void respond(std::uint64_t id, const Octets& query);
  void close_if_idle(std::uint64_t id);
  void watch_idle(std::uint64_t id, Flow& flow);
  Duration idle_patience(const Flow& flow);
  void end(std::uint64_t id, FailureKind kind, const char* reason);
  void reset_all(unsigned endpoint);
  void reset_often(unsigned endpoint);
  std::vector<std::uint64_t> flows_of(unsigned endpoint) const;

  EventQueue& queue_;
  const Instant& now_;
  const Settings& settings_;
  Checker& checker_;
  Trace& trace_;
  Random& noise_;
  const bool match_by_id_only_;
  std::deque<Opener> openers_;  // by worker
  unsigned told_ = 0;
  std::vector<Server> servers_;
  std::set<unsigned> tickets_;  // endpoints a session with can be resumed
  std::map<std::uint64_t, std::unique_ptr<Flow>> flows_;
  std::uint64_t next_id_ = 1;
  unsigned local_address_ = 1;
};

}  // namespace sotto::sim
