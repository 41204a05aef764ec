#include "upstream/connection.h"

#include <algorithm>
#include <cassert>

#include "dns/wire.h"

namespace sotto {

Connection::Connection(ConnectionId id, Endpoint& endpoint, ConnectionEvents& events,
                       const Instant& clock_now, Duration idle_timeout)
    : id_(id),
      endpoint_(endpoint),
      events_(events),
      now_(clock_now),
      idle_timeout_(idle_timeout),
      began_(clock_now),
      last_use_(clock_now) {}

void Connection::open(LinkOpener& opener, const EndpointSpec& spec) {
  assert(!link_ && state_ == State::connecting);
  link_ = opener.open(spec, *this);
}

PipelineSlotId Connection::send(ExchangeId exchange, const Question& question, QueryShape shape,
                                bool anew, Random& random) {
  assert(state_ == State::ready);
  // RFC 7828 §3.2.1: asking once per connection is enough.
  shape.keepalive = sent_ == 0;
  ++sent_;
  asked_anew_ = asked_anew_ || anew;
  if (!unheard_since_) {
    unheard_since_ = now_;
    idle_before_ = idle() ? now_ - last_use_ : Duration{0};
  }
  last_use_ = now_;
  const bool bare = !shape.edns && shape.padding_block > 0;
  if (bare) bare_padding_block_ = shape.padding_block;
  return pipeline_.add(exchange, question, shape, now_, random, bare ? bare_output_ : output_);
}

bool Connection::abandon(PipelineSlotId slot) {
  if (state_ == State::closed || !pipeline_.abandon(slot)) return false;
  if (unheard_since_) unheard_since_ = pipeline_.oldest_unheard();
  if (state_ == State::ready && pipeline_.abandoned() >= pipeline_abandoned_max) drain();
  close_if_done();
  return true;
}

void Connection::flush() {
  if (state_ == State::closed || (output_.empty() && bare_output_.empty())) return;
  assert(state_ == State::ready || state_ == State::draining);
  if (!output_.empty()) link_->write(output_);
  output_.clear();
  flush_bare();
  acknowledge_at_ = never;
}

// Each as large as it would be with OPT and padding.
void Connection::flush_bare() {
  std::span<const std::uint8_t> rest = bare_output_;
  while (!rest.empty()) {
    const std::size_t octets = load16(rest.data());
    const std::size_t beyond = octets % bare_padding_block_;
    const std::size_t padding = beyond == 0 ? 0 : bare_padding_block_ - beyond;
    link_->write_padded(rest.first(stream_length_octets + octets), padding);
    rest = rest.subspan(stream_length_octets + octets);
  }
  bare_output_.clear();
}

void Connection::on_keepalive(std::uint16_t timeout) {
  if (state_ != State::ready) return;
  if (timeout == 0) {  // RFC 7828 §3.4: close as soon as the outstanding answers are in
    drain();
    return;
  }
  const Duration announced = std::chrono::milliseconds{100} * timeout;
  idle_timeout_ = std::max<Duration>(announced - idle_margin, announced / 2);
}

void Connection::drain() {
  switch (state_) {
    case State::connecting:
    case State::handshaking:
      close();  // it carries nothing
      return;
    case State::ready:
      state_ = State::draining;
      draining_since_ = now_;
      close_if_done();
      return;
    case State::draining:
    case State::closed:
      return;
  }
}

void Connection::close_if_done() {
  if (state_ == State::draining && pipeline_.outstanding() == 0) close();
}

void Connection::close() {
  if (state_ == State::closed) return;
  flush();
  close_by_us({.kind = FailureKind::none, .reason = {}, .by_peer = false});
}

void Connection::leave_path() {
  if (state_ == State::closed) return;
  close_by_us({.kind = FailureKind::none, .reason = {}, .by_peer = false, .path_gone = true});
}

void Connection::fail(FailureKind kind, const char* reason) {
  assert(state_ != State::closed);
  close_by_us({.kind = kind, .reason = reason, .by_peer = false});
}

void Connection::close_by_us(const LinkClosed& closed) {
  become_closed();
  link_->close();
  events_.on_closed(*this, closed);
}

void Connection::become_closed() {
  reached_ = state_;
  state_ = State::closed;
  acknowledge_at_ = never;
}

Instant Connection::next_decision(Duration suspicion_after) const {
  switch (state_) {
    case State::connecting:
    case State::handshaking:
      return began_ + handshake_timeout;
    case State::ready:
    case State::draining: {
      Instant deadline = state_ == State::draining ? draining_since_ + draining_timeout : never;
      if (suspect_since_) {
        deadline = std::min(deadline, *suspect_since_ + suspect_lifetime);
      } else if (unheard_since_ && pipeline_.outstanding() > 0) {
        deadline = std::min(deadline, *unheard_since_ + suspicion_after);
      }
      if (stray_since_) deadline = std::min(deadline, *stray_since_ + suspicion_after);
      if (idle()) deadline = std::min(deadline, last_use_ + idle_timeout_);
      return deadline;
    }
    case State::closed:
      return never;
  }
  return never;
}

void Connection::on_deadline(Duration suspicion_after) {
  if (now_ >= acknowledge_at_) {
    acknowledge_at_ = never;
    link_->acknowledge();
  }
  const Duration late_min = opening() ? slept_in_handshake_min : slept_min;
  if (state_ != State::closed && now_ - late_min >= next_decision(suspicion_after)) {
    // No failure of the server's: nobody listened.
    close_by_us({.kind = FailureKind::none,
                 .reason = "the machine was suspended",
                 .by_peer = false,
                 .path_gone = now_ - last_heard_ >= slept_min});
    return;
  }
  switch (state_) {
    case State::connecting:
    case State::handshaking:
      if (now_ >= began_ + handshake_timeout) {
        fail(FailureKind::transport, state_ == State::connecting ? "no TCP connection within 2.5 s"
                                                                 : "no TLS handshake within 2.5 s");
      }
      return;
    case State::draining:
      if (now_ >= draining_since_ + draining_timeout) {
        close();
        return;
      }
      [[fallthrough]];
    case State::ready:
      if (suspect_since_) {
        if (now_ >= *suspect_since_ + suspect_lifetime) {
          fail(FailureKind::transport, "silent for too long with queries outstanding");
          return;
        }
      } else if (unheard_since_ && pipeline_.outstanding() > 0 &&
                 now_ >= *unheard_since_ + suspicion_after) {
        suspect_since_ = now_;
        events_.on_suspect(*this);
        return;
      }
      if (stray_since_ && now_ >= *stray_since_ + suspicion_after) {
        tell_overdue();
        if (state_ == State::closed) return;
      }
      if (idle() && now_ >= last_use_ + idle_timeout_) close();
      return;
    case State::closed:
      return;
  }
}

void Connection::on_tcp_connected() {
  assert(state_ == State::connecting);
  state_ = State::handshaking;
  connected_ = now_;
}

void Connection::on_link_ready(const LinkReady& ready) {
  assert(state_ == State::handshaking);
  state_ = State::ready;
  ready_ = last_use_ = last_heard_ = now_;
  link_ready_ = ready;
  events_.on_ready(*this, ready);
}

std::span<std::uint8_t> Connection::plaintext_space(std::size_t at_least) {
  return framer_.space(at_least);
}

void Connection::on_plaintext(std::size_t count) {
  if (state_ == State::closed || count == 0) return;
  framer_.filled(count);
  last_heard_ = now_;
  heard_in_time_ = !suspect();
  bool whole = false;
  while (state_ != State::closed) {
    const auto message = framer_.next();
    if (!message) break;
    whole = true;
    receive(*message);
  }
  if (state_ == State::closed) return;
  if (whole) {
    unheard_since_ = pipeline_.oldest_unheard();
  } else if (unheard_since_) {
    unheard_since_ = now_;  // a long answer is on its way
  }
  note_heard(whole);
  acknowledge_at_ = pipeline_.outstanding() > 0 ? now_ + acknowledge_after : never;
}

// Answers to what was asked long ago, on a path that is stuck, do not say that what is asked now
// would be answered.
void Connection::note_heard(bool whole) {
  if (!suspect()) return;
  if (whole && unheard_since_) {
    suspect_since_ = now_;
    return;
  }
  suspect_since_.reset();
  silence_ended_ = now_;
  owes_ = pipeline_.outstanding() + pipeline_.abandoned() > 0;
  events_.on_unsuspected(*this);
}

void Connection::receive(std::span<const std::uint8_t> message) {
  const Pipeline::Match match = pipeline_.receive(message);
  owes_ = owes_ && pipeline_.outstanding() + pipeline_.abandoned() > 0;
  switch (match.verdict) {
    case Pipeline::Verdict::matched:
    case Pipeline::Verdict::late:
    case Pipeline::Verdict::refusal:
      ++answered_;
      of_use_ = of_use_ || match.exchange;
      last_use_ = now_;
      mismatches_ = 0;
      break;
    case Pipeline::Verdict::unasked:
      if (!match.legible) note_stray();
      [[fallthrough]];
    case Pipeline::Verdict::mismatched:
      if (++mismatches_ >= mismatches_max) drain();
      break;
  }
  events_.on_match(*this, match, message);
  for (const Pipeline::Garbled& one : pipeline_.take_garbled()) events_.on_garbled(*this, one);
  close_if_done();
}

// Somebody's answer may have been lost in it. The next answer or, at last, time will tell whose.
void Connection::note_stray() {
  if (pipeline_.outstanding() == 0) return;
  stray_last_ = now_;
  if (!stray_since_) stray_since_ = now_;
}

// Whoever had been asked before something illegible came has waited long enough since.
void Connection::tell_overdue() {
  const Instant since = *stray_since_;
  stray_since_.reset();
  if (stray_last_ > since) stray_since_ = stray_last_;
  for (const ExchangeId exchange : pipeline_.waiting(since)) events_.on_overdue(*this, exchange);
}

void Connection::on_link_closed(const LinkClosed& closed) {
  if (state_ == State::closed) return;
  become_closed();
  events_.on_closed(*this, closed);
}

}  // namespace sotto
