// What is kept.
#include <algorithm>
#include <array>

#include "app/octets.h"
#include "app/option_rows.h"
#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

using std::chrono::milliseconds;
using Kind = Option::Kind;
using Applies = Option::Applies;

// A cache in one shard, with room to evict from.
constexpr std::int64_t cache_octets_min = std::int64_t{512} << 10U;
// Far more than all names in use; a slip of the unit is noticed. Address space is what bounds it on
// 32-bit machines.
constexpr std::int64_t cache_octets_max = std::int64_t{1} << (sizeof(std::size_t) > 4 ? 40U : 30U);
// RFC 8767 §5: stale answers are for outages, and those end.
constexpr std::int64_t stale_max_age_max = 30 * day;

std::string quoted_octets(std::size_t octets) {
  const std::string text = octets_text(static_cast<std::int64_t>(octets));
  return octets == 0 ? text : toml_string(text);
}

constexpr std::array<Option, 8> rows{{
    {.key = "cache.size",
     .kind = Kind::octets,
     .minimum = cache_octets_min,
     .maximum = cache_octets_max,
     .or_zero = true,
     .standard = "\"128MiB\"",
     .applies = Applies::on_restart,
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.cache.size_octets = static_cast<std::size_t>(value.number);
         },
     .print = [](const Config& config,
                 const Entry&) { return quoted_octets(config.cache.size_octets); },
     .help =
         "Memory that the answers kept for all workers may take, overhead included. It is taken "
         "as the cache fills, and never more. 0 keeps nothing."},
    {.key = "cache.ttl_min",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = hour,
     .standard = "\"0s\"",
     .set = set_cache_ttl_min,
     .print = [](const Config& config, const Entry&) { return quoted(config.cache.ttl_min); },
     .help = "Answers are kept, and given to clients, with at least this TTL, whatever their zones "
             "say. Anything above a few seconds delays changes that others make on purpose. It "
             "must not exceed ttl_max, nor negative_ttl_max unless that is \"0s\". A reload "
             "applies a change to answers stored from then on; sotto cache flush forgets the "
             "others."},
    {.key = "cache.ttl_max",
     .kind = Kind::duration,
     .minimum = second,
     .maximum = 7 * day,
     .standard = "\"1d\"",
     .set = set_cache_ttl_max,
     .print = [](const Config& config, const Entry&) { return quoted(config.cache.ttl_max); },
     .help = "Answers are kept, and given to clients, with at most this TTL. A reload applies a "
             "change to answers stored from then on; sotto cache flush forgets the others."},
    {.key = "cache.negative_ttl_max",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = day,
     .standard = "\"1h\"",
     .set = set_cache_negative_ttl_max,
     .print = [](const Config& config,
                 const Entry&) { return quoted(config.cache.negative_ttl_max); },
     .help = "That a name or a type does not exist is remembered for at most this long (RFC 2308). "
             "\"0s\" does not remember it at all. A reload applies a change to answers stored from "
             "then on; sotto cache flush forgets the others."},
    {.key = "cache.prefetch",
     .kind = Kind::integer,
     .minimum = 0,
     .maximum = 100,
     .standard = "10",
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.cache.prefetch_percent = static_cast<unsigned>(value.number);
         },
     .print = [](const Config& config,
                 const Entry&) { return std::to_string(config.cache.prefetch_percent); },
     .help = "Answers asked for again in the last tenth of their life are refreshed before they "
             "expire. At most this many percent of the queries to upstreams may be such refreshes; "
             "up to 100 a second of each worker are always allowed. 0 switches them off."},
    {.key = "cache.file",
     .kind = Kind::file,
     .standard = "\"\"",
     .applies = Applies::on_restart,
     .set = set_cache_file,
     .print = [](const Config& config, const Entry&) { return toml_string(config.cache.file); },
     .help =
         "Keep the answers in this file across restarts: it is written at a clean stop and every "
         "save_interval, and read in the background at the start. Each sotto needs a file of "
         "its own, in a directory that exists and that it can write; the file may not be a "
         "symbolic link. With cache.size = 0 it has no effect. \"\" keeps the answers in memory "
         "only. A relative path in the configuration file starts at that file's directory."},
    {.key = "cache.save_interval",
     .kind = Kind::duration,
     .minimum = second,
     .maximum = 7 * day,
     .or_zero = true,
     .standard = "\"15m\"",
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.cache.save_interval = milliseconds{value.number};
         },
     .print = [](const Config& config, const Entry&) { return quoted(config.cache.save_interval); },
     .help = "Write cache.file this often, so that little is lost when sotto is killed. \"0s\" "
             "writes it at a clean stop only."},
    {.key = "cache.stale.max_age",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = stale_max_age_max,
     .standard = "\"1d\"",
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.cache.stale_max_age = milliseconds{value.number};
         },
     .print = [](const Config& config, const Entry&) { return quoted(config.cache.stale_max_age); },
     .help = "When no upstream answers within 1.8 seconds, or none can be used, an answer is given "
             "that expired at most this long ago, with a TTL of 30 seconds and EDE 3 (RFC 8767). "
             "\"0s\" never gives one."},
}};

}  // namespace

std::span<const Option> cache_rows() {
  return rows;
}

}  // namespace sotto
