// SPDX-License-Identifier: Apache-2.0
#include "ctl/metrics.h"

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <utility>
#include <vector>

#include "pmd/error.h"

namespace podswitch {
namespace {

uint64_t seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

prometheus::ClientMetric client_metric(const Metric& row, MetricSample sample) {
  prometheus::ClientMetric metric;
  for (MetricLabel& label : sample.labels)
    metric.label.push_back({std::string(label.name), std::move(label.value)});
  (row.is_counter ? metric.counter.value : metric.gauge.value) = sample.value;
  return metric;
}

}  // namespace

std::vector<prometheus::MetricFamily> metric_families(const Figures& figures) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& row : metric_table()) {
    prometheus::MetricFamily family;
    family.name = fmt::format("{}{}", kMetricPrefix, row.name);
    family.help = row.help;
    family.type = row.is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (MetricSample& sample : row.samples(figures))
      family.metric.push_back(client_metric(row, std::move(sample)));
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
  return families;
}

class MetricsServer::Source final : public prometheus::Collectable {
 public:
  Source(const Engine& engine, BuildInfo build, std::function<size_t()> ports_left_out)
      : engine_(engine),
        build_(std::move(build)),
        ports_left_out_(std::move(ports_left_out)),
        start_time_seconds_(seconds_since_1970()) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    return metric_families({build_, start_time_seconds_, engine_.status(), engine_.workers_make_progress(),
                            ports_left_out_(), engine_.ports(), engine_.workers(), engine_.offloads()});
  }

 private:
  const Engine& engine_;
  const BuildInfo build_;
  const std::function<size_t()> ports_left_out_;
  const uint64_t start_time_seconds_;
};

MetricsServer::MetricsServer(const std::string& listen, const Engine& engine, BuildInfo build,
                             std::function<size_t()> ports_left_out)
    : source_(std::make_shared<Source>(engine, std::move(build), std::move(ports_left_out))) {
  try {
    // Two threads, and a client that sends nothing keeps one for five seconds at the most.
    exposer_ = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", listen, "num_threads", "2", "request_timeout_ms", "5000"});
  } catch (const std::exception&) {
    throw Error("metrics.listen",
                fmt::format("cannot listen on '{}': the port is taken, or the address is not "
                            "one of this host's; an empty value turns metrics off",
                            listen));
  }
  exposer_->RegisterCollectable(source_);
}

MetricsServer::~MetricsServer() = default;

}  // namespace podswitch
