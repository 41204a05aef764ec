// What exchanges make of what the pool reports: connections that die or fall silent, and answers,
// usable or not.
#include <memory>

#include "dns/wire.h"
#include "upstream/exchanges.h"

namespace sotto {
namespace {

// SERVFAIL in the place of what an upstream said that repeats no question.
Answer refusal_to_answer(const Question& question) {
  Answer answer;
  const auto asked = question.key().first(question.name().size() + question_tail_octets);
  answer.message.resize(header_octets);
  store16(answer.message.data() + 2, flag::response | rcode::servfail);
  store16(answer.message.data() + 4, 1);
  answer.message.insert(answer.message.end(), asked.begin(), asked.end());
  answer.rcode = rcode::servfail;
  // RFC 8914 §4.23: "or they potentially refused to reply".
  answer.extended_error = ExtendedError{.code = ede::no_reachable_authority,
                                        .text = "the upstream refuses to answer us"};
  return answer;
}

}  // namespace

void Exchanges::on_lost(Connection& connection, ExchangeId id, bool excused) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(), [excused](Attempt& attempt) {
    attempt.state = Attempt::State::over;
    attempt.excused = excused;
  });
  ask_again(*exchange);
}

void Exchanges::on_suspect(Connection& connection, ExchangeId id) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(),
                        [](Attempt& attempt) { attempt.state = Attempt::State::suspect; });
  ask_again(*exchange);
}

// It may have been another's: an answer to this attempt is still taken, and it counts as sent.
void Exchanges::on_garbled(Connection& connection, const Pipeline::Garbled& garbled) {
  Exchange* exchange = exchanges_.find(garbled.exchange);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(), [&garbled](Attempt& attempt) {
    if (attempt.id.slot == garbled.slot) attempt.state = Attempt::State::suspect;
  });
  ask_again(*exchange);
}

// What was answered wrongly is not waited for any the more.
void Exchanges::on_unsuspected(Connection& connection, ExchangeId id) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(), [](Attempt& attempt) {
    if (!attempt.wrong) attempt.state = Attempt::State::active;
  });
  if (exchange->has(Attempt::State::active)) stop_waiting(*exchange);
}

void Exchanges::on_response(Connection& connection, const Pipeline::Match& match,
                            std::span<const std::uint8_t> message) {
  look_again_ = true;  // there is room for one more on this connection
  Exchange* found = exchanges_.find(match.exchange);
  if (found == nullptr) return;
  Exchange& exchange = *found;
  const std::uint32_t upstream = connection.endpoint().upstream->id;
  const bool mismatched = match.verdict == Pipeline::Verdict::mismatched;
  Attempt* attempt = nullptr;
  exchange.for_each_on(connection.id(), [&](Attempt& one) {
    if (one.id.slot == match.slot) attempt = &one;
  });
  if (attempt == nullptr) return;
  attempt->state = mismatched ? Attempt::State::suspect : Attempt::State::over;
  attempt->wrong = mismatched;
  if (mismatched) {
    ask_again(exchange);
    return;
  }
  if (match.verdict == Pipeline::Verdict::refusal) {
    on_refusal(connection, exchange, *attempt, message);
    return;
  }
  if (!rewrite_response(message, exchange.question, answer_)) {
    pool_.note_malformed(connection);
    attempt->wrong = true;
    ask_again(exchange);
    return;
  }
  note_slow(connection, exchange, *attempt);
  if (answer_.keepalive) connection.on_keepalive(*answer_.keepalive);
  if (answer_.rcode == rcode::formerr && !answer_.edns && attempt->edns) {
    ask_without_edns(exchange, *attempt);
    return;
  }
  if (ask_elsewhere_instead(exchange, upstream)) {
    ask_again(exchange);
    return;
  }
  if (answer_.edns) {
    pool_.note_edns(connection);
  } else if (!attempt->edns && exchange.without_edns_for == upstream &&
             answer_.rcode != rcode::formerr) {
    pool_.note_no_edns(connection);
  }
  if (exchange.answered_badly_by != 0 && !answer_.is_failure()) {
    pool_.note_bad_outcome(exchange.answered_badly_by);
  }
  finish(exchange, answer_);
}

// A server that answers the first of several copies, the later ones having been out for half of the
// time, is not reached any better by another connection.
void Exchanges::note_slow(Connection& connection, const Exchange& exchange,
                          const Attempt& answered) {
  const Duration latency = now_ - answered.sent;
  for (const Attempt& other : exchange.tried()) {
    const bool again = other.upstream == answered.upstream && other.sent > answered.sent &&
                       other.id.connection != answered.id.connection;
    if (again && now_ - other.sent >= latency / 2) return pool_.note_slow(connection, latency);
  }
}

// A failure that repeats no question says nothing of the question: whoever else can be asked is
// asked, of other groups, too. Nobody is left: SERVFAIL, with the reason.
void Exchanges::on_refusal(Connection& connection, Exchange& exchange, Attempt& attempt,
                           std::span<const std::uint8_t> message) {
  const std::uint16_t code = load16(message.data() + 2) & flag::rcode_mask;
  if (code == rcode::formerr && attempt.edns) {
    ask_without_edns(exchange, attempt);
    return;
  }
  attempt.refused = true;
  pool_.note_refusal(connection, code);
  if (!exchange.bad_answer) {
    exchange.bad_answer = std::make_unique<Answer>(refusal_to_answer(exchange.question));
  }
  ask_again(exchange);
}

// The server knows no EDNS (RFC 6891 §7), and heard.
void Exchanges::ask_without_edns(Exchange& exchange, Attempt& attempt) {
  exchange.without_edns_for = attempt.upstream;
  attempt.excused = true;
  ask_again(exchange);
}

// SERVFAIL and REFUSED are worth a try elsewhere.
bool Exchanges::ask_elsewhere_instead(Exchange& exchange, std::uint32_t upstream) {
  const bool failure = answer_.rcode == rcode::servfail || answer_.rcode == rcode::refused;
  if (!failure || answer_.is_deliberate()) return false;
  // Another copy of the query, and it says the same again.
  if (exchange.answered_badly_by != 0) return upstream == exchange.answered_badly_by;
  if (!pool_.has_alternative(upstream)) return false;
  exchange.answered_badly_by = upstream;
  exchange.bad_answer = std::make_unique<Answer>(answer_);
  return true;
}

}  // namespace sotto
