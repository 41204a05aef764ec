#include "app/upstreams_text.h"

#include <array>
#include <cstdio>

#include "app/log_line.h"
#include "app/text.h"
#include "app/upstream_status.h"

namespace sotto {

namespace {

constexpr std::size_t label_columns = 13;

// "label        text", wrapped behind commas.
std::string line(std::string_view indent, std::string_view label, std::string_view text) {
  constexpr std::size_t columns = 80;
  std::string out(indent);
  out += label;
  if (label.size() < label_columns) out += std::string(label_columns - label.size(), ' ');
  std::size_t at = out.size();
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t comma = text.find(", ", begin);
    const std::size_t end = comma == std::string_view::npos ? text.size() : comma + 1;
    if (begin > 0 && at + end - begin > columns) {
      at = indent.size() + label_columns;
      out += "\n" + std::string(at, ' ');
      ++begin;  // the blank
    }
    out += text.substr(begin, end - begin);
    at += end - begin;
    begin = end;
  }
  return out + "\n";
}

// Nothing that leads a terminal astray; what strangers say need not be ASCII.
std::string printable(std::string_view text) {
  std::string out;
  for (const char character : text) {
    const auto octet = static_cast<std::uint8_t>(character);
    const bool plain = octet >= 0x20U && octet <= 0x7EU;
    out += plain ? std::string(1, character) : "\\x" + hex({&octet, 1});
  }
  return out;
}

// " (workers 0, 2)"
std::string workers_text(const std::vector<std::size_t>& workers) {
  std::string out;
  for (const std::size_t worker : workers) {
    out += (out.empty() ? "" : ", ") + std::to_string(worker);
  }
  return (workers.size() > 1 ? " (workers " : " (worker ") + out + ")";
}

std::string one_decimal(double number, const char* unit) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", number, unit);
  return text.data();
}

// A count and what it is of.
struct Part {
  std::uint64_t count;
  std::string_view what;
};

// "probes", but "probe" if there is one.
std::string_view in_number(std::uint64_t count, std::string_view many) {
  if (count == 1) many.remove_suffix(1);
  return many;
}

// "3 resent, 12 hedged": those that are not 0.
std::string parts_text(std::initializer_list<Part> parts) {
  std::string out;
  for (const Part& part : parts) {
    if (part.count == 0) continue;
    out += (out.empty() ? "" : ", ") + std::to_string(part.count) + " " + std::string(part.what);
  }
  return out;
}

std::string or_none(std::string text) {
  return text.empty() ? "none" : text;
}

std::string latency_text(const UpstreamReport& report) {
  if (report.p50 == Duration{0}) return "not known yet";
  return "p50 " + rough_duration(report.p50) + ", p95 " + rough_duration(report.p95) + ", p99 " +
         rough_duration(report.p99);
}

std::string failures_text(const UpstreamTotals& totals) {
  std::string out;
  for (std::size_t cause = 0; cause < failure_causes; ++cause) {
    if (totals.failures[cause] == 0) continue;
    out += (out.empty() ? "" : ", ") + std::to_string(totals.failures[cause]) + " " +
           std::string(to_text(static_cast<FailureCause>(cause)));
  }
  return or_none(out);
}

// "until 2026-12-31 (40 days)"
std::string certificate_text(const EndpointReport& report,
                             std::chrono::system_clock::time_point now) {
  constexpr std::size_t date_columns = 10;
  const auto expires = *report.certificate_expires;
  const std::string date = timestamp(expires).substr(0, date_columns);
  if (expires <= now) return "expired on " + date;
  return "until " + date + " (" + rough_duration(expires - now) + ")";
}

std::string endpoint_text(const EndpointStatus& endpoint,
                          std::chrono::system_clock::time_point now) {
  const EndpointReport& report = endpoint.report;
  std::string out = "  " + report.address.text() + "  " + std::string(to_text(report.state)) + "\n";
  if (report.state == EndpointReport::State::failing) {
    out += line("    ", "why", printable(report.failure_reason));
    out += line("    ", "next attempt",
                report.next_attempt == Duration{0} ? "when a query needs it"
                                                   : "in " + rough_duration(report.next_attempt));
  }
  if (report.certificate_expires) {
    out += line("    ", "certificate",
                certificate_text(report, now) + ", of " + printable(report.expected));
  }
  if (report.idle_close) {
    out += line("    ", "idle close", "after " + rough_duration(*report.idle_close));
  }
  return out;
}

std::string connection_text(const ConnectionStatus& connection, bool several_workers) {
  const ConnectionReport& report = connection.report;
  std::string text = std::to_string(report.in_flight) + " in flight, " +
                     std::to_string(report.answered) + " answered, open for " +
                     rough_duration(report.age) + ", idle for " + rough_duration(report.idle);
  if (several_workers) text += ", worker " + std::to_string(connection.worker);
  std::string out = line("    ", to_text(report.state), text);
  if (!report.tls.empty()) {
    out += line("    ", "", printable(report.tls) + (report.resumed ? ", resumed" : ""));
  }
  return out;
}

std::string upstream_text(const UpstreamStatus& upstream, bool several_workers,
                          std::chrono::system_clock::time_point now) {
  const UpstreamReport& report = upstream.report;
  const UpstreamTotals& totals = report.totals;
  std::string out =
      printable(report.name) + ": " + (report.usable ? "usable" : "not usable") + "\n";
  std::string_view label = "why";
  for (const ReasonStatus& reason : upstream.reasons) {
    const std::string whose = upstream.reasons.size() > 1 ? workers_text(reason.workers) : "";
    out += line("  ", label, printable(reason.why) + whose);
    label = "";
  }
  out += line("  ", "latency", latency_text(report));
  out += line("  ", "queries",
              or_none(parts_text({{totals.sent, "sent"},
                                  {totals.resent, "resent"},
                                  {totals.hedged, "hedged"},
                                  {totals.probes, in_number(totals.probes, "probes")},
                                  {report.in_flight, "in flight"}})));
  out += line("  ", "answers",
              or_none(parts_text({{totals.answered, "in time"},
                                  {totals.late, "late"},
                                  {totals.failure_answers, "SERVFAIL/REFUSED/NOTIMP"},
                                  {totals.discarded, "discarded"},
                                  {totals.lost, "lost"},
                                  {totals.abandoned, "given up"}})));
  out += line("  ", "connections",
              or_none(parts_text({{totals.connections, "begun"},
                                  {totals.handshakes, in_number(totals.handshakes, "handshakes")},
                                  {totals.resumptions, "resumed"}})));
  out += line("  ", "failures", failures_text(totals));
  for (const EndpointStatus& endpoint : upstream.endpoints) {
    out += endpoint_text(endpoint, now);
    for (const ConnectionStatus& connection : endpoint.connections) {
      out += connection_text(connection, several_workers);
    }
  }
  return out;
}

// Workers whose part in all this is not of now.
std::string absent_text(const std::vector<WorkerState>& workers) {
  std::string out;
  for (std::size_t worker = 0; worker < workers.size(); ++worker) {
    if (workers[worker].kind == WorkerState::Kind::up) continue;
    const bool stuck = workers[worker].kind == WorkerState::Kind::stuck;
    out += "worker " + std::to_string(worker) + (stuck ? " does not respond" : " has stopped") +
           (workers[worker].report ? "; what is shown of it is older\n"
                                   : "; nothing is known of it\n");
  }
  return out.empty() ? "" : "\n" + out;
}

}  // namespace

std::string rough_duration(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  constexpr double milli = 1'000;
  constexpr double minute = 60;
  constexpr double hour = 3'600;
  constexpr double day = 86'400;
  constexpr double few = 9.95;  // below, a decimal tells something
  const auto whole = [](double number, const char* unit) {
    return std::to_string(static_cast<std::int64_t>(number)) + " " + unit;
  };
  if (seconds * milli < few) return one_decimal(seconds * milli, "ms");
  if (seconds < 0.9995) return whole(seconds * milli + 0.5, "ms");
  if (seconds < few) return one_decimal(seconds, "s");
  if (seconds < 2 * minute) return whole(seconds, "s");
  if (seconds < 2 * hour) return whole(seconds / minute, "min");
  if (seconds < 2 * day) return whole(seconds / hour, "h");
  return whole(seconds / day, "days");
}

std::string upstreams_text(const std::vector<WorkerState>& workers,
                           std::chrono::system_clock::time_point now) {
  const UpstreamsStatus status = merge_reports(workers);
  std::string out;
  const std::string* group = nullptr;
  for (const UpstreamStatus& upstream : status.upstreams) {
    const UpstreamReport& report = upstream.report;
    if (!out.empty()) out += "\n";
    if (group == nullptr || *group != report.group) {
      out += "group " + printable(report.group) + ", by " + std::string(to_text(report.selection)) +
             "\n\n";
    }
    group = &report.group;
    out += upstream_text(upstream, workers.size() > 1, now);
  }
  return out + absent_text(workers);
}

}  // namespace sotto
