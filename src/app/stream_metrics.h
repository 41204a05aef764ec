// Metrics of clients' connections: TCP, TLS, HTTPS. Test: tests/unit/app/metrics_test.cc.
#pragma once

#include <vector>

#include "app/metric_families.h"
#include "app/worker_watch.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

// Families of the same kind for each transport, sotto_tcp_connections and sotto_tls_connections.
void add_streams(MetricFamilies& families, const std::vector<WorkerState>& workers);

// certificates: those shown to clients.
void add_certificates(MetricFamilies& families, const std::vector<ServerCertificate>& certificates);

}  // namespace sotto
