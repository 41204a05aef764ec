// Links without sockets: the test says what the network and the server do.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dns/wire.h"
#include "upstream/link.h"

namespace sotto {

// A query as a server sees it.
struct SeenQuery {
  std::vector<std::uint8_t> message;

  std::uint16_t id() const { return load16(message.data()); }
  std::size_t name_octets() const {
    return plain_name_octets(std::span(message).subspan(header_octets));
  }
  std::string name() const {
    return name_to_text(std::span(message).subspan(header_octets, name_octets()));
  }
  bool has_edns() const { return load16(message.data() + 10) != 0; }

  // Header and question as a response begins.
  std::vector<std::uint8_t> response(std::uint16_t rcode = 0) const {
    std::vector<std::uint8_t> out(
        message.begin(),
        message.begin() + static_cast<std::ptrdiff_t>(header_octets + name_octets() + 4));
    store16(out.data() + 2, static_cast<std::uint16_t>(0x8180U | rcode));
    store16(out.data() + 10, 0);
    return out;
  }
  // … with one A record, whose last octet tells answers apart.
  std::vector<std::uint8_t> answer(std::uint8_t last_octet = 1) const {
    std::vector<std::uint8_t> out = response();
    store16(out.data() + 6, 1);
    const std::uint8_t record[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, last_octet};
    out.insert(out.end(), std::begin(record), std::end(record));
    return out;
  }
};

// What a link did and what can be done to it; outlives the link.
struct LinkScript {
  TlsPeerIdentity peer;
  LinkEvents* events = nullptr;  // null once the link is gone or closed
  std::vector<std::uint8_t> written;
  std::size_t writes = 0;
  std::vector<std::size_t> padded;  // what its records seem to hold
  std::size_t read = 0;             // of written, by queries()
  bool ready = false;
  std::size_t acknowledged = 0;  // calls of acknowledge()
  bool said_goodbye = false;

  bool open() const { return events != nullptr; }

  void become_ready(bool resumed = false) {
    ready = true;
    events->on_tcp_connected();
    events->on_link_ready({resumed, "scripted", {}});
  }
  void die(FailureKind kind, std::string reason = "scripted") {
    LinkEvents* told = events;
    events = nullptr;
    told->on_link_closed({kind, std::move(reason), true});
  }
  void deliver(std::span<const std::uint8_t> octets) {
    std::memcpy(events->plaintext_space(octets.size()).data(), octets.data(), octets.size());
    events->on_plaintext(octets.size());
  }
  static std::vector<std::uint8_t> framed(const std::vector<std::uint8_t>& message) {
    std::vector<std::uint8_t> out(stream_length_octets);
    store16(out.data(), static_cast<std::uint16_t>(message.size()));
    out.insert(out.end(), message.begin(), message.end());
    return out;
  }
  void respond(const std::vector<std::uint8_t>& message) { deliver(framed(message)); }

  // Queries written since the last call.
  std::vector<SeenQuery> queries() {
    std::vector<SeenQuery> seen;
    while (read < written.size()) {
      const std::size_t octets = load16(written.data() + read);
      const auto begin = written.begin() + static_cast<std::ptrdiff_t>(read + stream_length_octets);
      seen.push_back({{begin, begin + static_cast<std::ptrdiff_t>(octets)}});
      read += stream_length_octets + octets;
    }
    return seen;
  }
};

class ScriptedLink final : public Link {
 public:
  explicit ScriptedLink(std::shared_ptr<LinkScript> script) : script_(std::move(script)) {}
  ~ScriptedLink() override { script_->events = nullptr; }
  ScriptedLink(const ScriptedLink&) = delete;
  ScriptedLink& operator=(const ScriptedLink&) = delete;

  void write(std::span<const std::uint8_t> plaintext) override {
    ++script_->writes;
    script_->written.insert(script_->written.end(), plaintext.begin(), plaintext.end());
  }
  void write_padded(std::span<const std::uint8_t> plaintext, std::size_t padding) override {
    script_->padded.push_back(plaintext.size() + padding);
    write(plaintext);
  }
  void acknowledge() override { ++script_->acknowledged; }
  void close() override {
    script_->said_goodbye = true;
    script_->events = nullptr;
  }

 private:
  std::shared_ptr<LinkScript> script_;
};

class ScriptedOpener final : public LinkOpener {
 public:
  std::unique_ptr<Link> open(const EndpointSpec& endpoint, LinkEvents& events) override {
    auto script = std::make_shared<LinkScript>();
    script->peer = endpoint.identity;
    script->events = &events;
    links.push_back(script);
    return std::make_unique<ScriptedLink>(script);
  }

  std::string path_to(const EndpointSpec& endpoint) override {
    const auto known = paths.find(endpoint.identity.endpoint.port);
    return known != paths.end() ? known->second : "192.0.2.1";
  }

  LinkScript& at(std::size_t index) { return *links.at(index); }
  LinkScript& last() { return *links.back(); }
  std::size_t count() const { return links.size(); }

  std::vector<std::shared_ptr<LinkScript>> links;  // in the order they were opened
  std::map<std::uint16_t, std::string> paths;      // by the endpoint's port, where not the same
};

}  // namespace sotto
