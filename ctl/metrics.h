// SPDX-License-Identifier: Apache-2.0
// Serves /metrics. The figures are read from the engine when somebody scrapes; nothing is kept here. Its two
// HTTP threads are prometheus-cpp's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ctl/metric_table.h"
#include "pmd/engine.h"

namespace prometheus {
class Exposer;
struct MetricFamily;
}  // namespace prometheus

namespace podswitch {

// The figures in prometheus-cpp's own form, one family per row of the metric table.
std::vector<prometheus::MetricFamily> metric_families(const Figures& figures);

class MetricsServer {
 public:
  // `listen` is ADDRESS:PORT; `ports_left_out` is asked by the server's own threads. Throws Error when
  // nothing can listen there.
  MetricsServer(const std::string& listen, const Engine& engine, BuildInfo build,
                std::function<size_t()> ports_left_out);
  ~MetricsServer();

 private:
  class Source;
  std::shared_ptr<Source> source_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace podswitch
