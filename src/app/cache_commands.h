// The commands of the control socket that concern the cache:
//
//     cache.flush                    forgets everything
//     cache.flush NAME               … of this name
//     cache.flush NAME below         … of this name and those below it
//     cache.show NAME                what is kept of it
//     cache.stats                    a name and a value on each line
//
// Test: tests/unit/app/cache_commands_test.cc.
#pragma once

#include <string>

#include "admin/control_protocol.h"
#include "app/cache_control.h"

namespace sotto {

// What cache.show prints at most: a name with very many large record sets is cut.
inline constexpr std::size_t cache_show_octets_max = std::size_t{16} << 20U;

// cache outlives the commands.
ControlCommands cache_commands(CacheControl& cache);

// An entry: a line about it, then its records as they would be given now.
std::string entry_text(const CachedEntry& entry);

}  // namespace sotto
