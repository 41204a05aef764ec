#include <chrono>
#include <csignal>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <utility>

#include "app/admin_listener.h"
#include "app/admin_pages.h"
#include "app/cache_commands.h"
#include "app/config_source.h"
#include "app/control.h"
#include "app/help.h"
#include "app/inherited_sockets.h"
#include "app/listeners.h"
#include "app/live_cache.h"
#include "app/logging.h"
#include "app/serve.h"
#include "app/server.h"
#include "app/signals.h"
#include "app/upstreams_commands.h"
#include "base/clock.h"
#include "base/standard_error.h"

namespace sotto {
namespace {

constexpr int exit_stopped = 0;
constexpr int exit_failed = 1;
constexpr int exit_configuration = 2;

// The soft limit of 1,024 is there for programs that use select(2); clients on streams need more.
void raise_descriptor_limit(const Config& config, Log& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  const auto& listen = config.listen;
  if (listen.tcp.empty() && listen.tls.empty() && listen.https.empty()) return;
  // Of TCP, TLS and HTTPS together.
  const rlim_t wanted = rlim_t{config.tcp.connections_max} * config.workers;
  if (limit.rlim_max < wanted) {
    log.warning("descriptors.few", "fewer clients can connect than tcp.connections_max allows",
                {{"descriptors", limit.rlim_max}, {"wanted", wanted}});
  }
}

void serve_until_stopped(Signals& signals, Server& server, const ConfigSource& source, Log& log) {
  constexpr std::chrono::seconds housekeeping{5};
  while (true) {
    const int signal = signals.wait(housekeeping);
    log.report_suppressed();
    if (signal == SIGHUP) server.reload(source);
    if (signal == SIGTERM || signal == SIGINT) {
      log.info("stopping", "finishing queries in progress",
               {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      return;
    }
  }
}

template <class IsDone>
void wait_until(IsDone is_done) {
  constexpr std::chrono::milliseconds look_every{20};
  while (!is_done()) std::this_thread::sleep_for(look_every);
}

void stop(Server& server) {
  server.drain();
  wait_until([&server] { return server.stopped(); });
  server.join();
  server.save();
  wait_until([&server] { return server.saved(); });
}

AdminSources sources_of(Server& server, std::function<std::vector<WorkerState>()> look,
                        std::chrono::system_clock::time_point started) {
  return {.look = std::move(look),
          .phase = [&server] { return server.phase(); },
          .cache = [&server] { return server.cache().stats(); },
          .stale_allowed = [&server] { return server.cache().gives_stale(); },
          .certificates = [&server] { return server.certificates(); },
          .started = started};
}

}  // namespace

int serve(const ConfigSource& configured, const Environment& environment) {
  const auto started = wall_now();
  auto inherited = take_inherited_sockets();
  if (!inherited) {
    tell_standard_error(inherited.error() + "\n");
    return exit_configuration;
  }
  Signals signals;
  ConfigSource source = configured;
  source.use_inherited(addresses_of(*inherited));
  auto loaded = source.load();
  if (!loaded) {
    tell_standard_error(errors_text(loaded.error()));
    return exit_configuration;
  }
  Log log(loaded->config.log);
  // First: when a configured socket cannot be had, no client has been answered yet.
  auto control_socket = open_control(loaded->config.control, environment, log);
  if (!control_socket) {
    log.error("control.failed", control_socket.error());
    return exit_failed;
  }
  auto sockets = open_sockets(loaded->config, *inherited, log);
  if (!sockets) {
    log.error("listen.failed", sockets.error());
    return exit_failed;
  }
  // After them: its default address may be one that was configured for clients.
  auto admin_socket = open_admin(loaded->config.listen.admin, *inherited, log);
  if (!admin_socket) {
    log.error("admin.failed", admin_socket.error());
    return exit_failed;
  }
  inherited->clear();
  log.info("started", version_text(),
           {{"workers", loaded->config.workers},
            {"upstreams", loaded->config.upstreams.size()},
            {"file", loaded->file}});
  raise_descriptor_limit(loaded->config, log);
  const std::string warning = cache_file_warning(loaded->config);
  if (!warning.empty()) log.warning("cache.off", warning, {{"file", loaded->config.cache.file}});
  Server server(log, std::move(*loaded), std::move(*sockets));
  LiveCache cache(server.cache(), server.cache_keeper(), [&server] { return server.lookups(); });
  WorkerWatch watch(server.watched_workers());
  const auto look = [&watch] { return watch.look(); };
  ControlCommands commands = cache_commands(cache);
  commands.merge(upstreams_commands(look));
  auto control = start_control(std::move(*control_socket), std::move(commands), log);
  // Until all is saved, so that whoever watches can tell a stop from a failure.
  const auto admin =
      start_admin(std::move(*admin_socket), admin_pages(sources_of(server, look, started)), log);
  server.start();
  serve_until_stopped(signals, server, source, log);
  control.reset();  // the next sotto may take the socket while this one drains
  stop(server);
  return exit_stopped;
}

}  // namespace sotto
