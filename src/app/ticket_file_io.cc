#include "app/ticket_file_io.h"

#include "app/private_file_io.h"
#include "app/ticket_file.h"

namespace sotto {
namespace {

UtcTime utc_now() {
  return std::chrono::floor<std::chrono::milliseconds>(wall_now());
}

}  // namespace

void TicketKeeper::load(Instant now) {
  if (path_.empty()) return;
  next_save_ = now + save_interval;
  const auto ignore = [this](std::string_view reason) {
    log_.warning("tickets.ignored",
                 may_replace_
                     ? "the file of session tickets cannot be used; the first handshakes are full"
                     : "tls.ticket_file is no file of ours; it is left alone and nothing is saved",
                 {{"file", path_}, {"reason", reason}});
  };
  const auto octets = read_private_file(path_, ticket_file_octets_max);
  if (!octets && !octets.error().absent) {
    may_replace_ = octets.error().ours;
    ignore(octets.error().reason);
  }
  if (octets) {
    auto peers = decode_tickets(*octets, utc_now());
    if (!peers) {
      may_replace_ = peers.error() != Error::foreign_file;
      ignore(describe(peers.error()));
    } else {
      for (PeerTickets& peer : *peers) {
        for (auto& ticket : peer.tickets) tickets_.put(peer.peer, std::move(ticket));
      }
      log_.write(peers->empty() ? LogLevel::debug : LogLevel::info, "tickets.loaded",
                 "sessions from before can be resumed",
                 {{"file", path_}, {"tickets", tickets_.size()}});
    }
  }
  if (!may_replace_) return;
  // Better said now than at the stop, if that is not possible.
  const FileDone done = write_private_file(path_, encode_tickets({}, utc_now()), calls_);
  if (done) return;
  unsaved_reason_ = done.error();
  log_.warning("tickets.unsaved", "cannot save session tickets",
               {{"file", path_}, {"reason", unsaved_reason_}});
}

void TicketKeeper::save(bool last, Instant now) {
  if (path_.empty() || !may_replace_) {
    next_save_ = never;
    return;
  }
  next_save_ = now + save_interval;
  if (tickets_.changes() != saved_) write(last);
}

void TicketKeeper::write(bool last) {
  const std::uint64_t changes = tickets_.changes();
  const std::vector<PeerTickets> all = tickets_.all();
  const FileDone done = write_private_file(path_, encode_tickets(all, utc_now()), calls_);
  if (!done) {
    const LogLevel level = done.error() == unsaved_reason_ ? LogLevel::debug : LogLevel::warning;
    log_.write(level, "tickets.unsaved", "cannot save session tickets",
               {{"file", path_}, {"reason", done.error()}});
    unsaved_reason_ = done.error();
    return;
  }
  saved_ = changes;
  unsaved_reason_.clear();
  log_.write(last ? LogLevel::info : LogLevel::debug, "tickets.saved", "session tickets saved",
             {{"file", path_}, {"peers", all.size()}});
}

}  // namespace sotto
