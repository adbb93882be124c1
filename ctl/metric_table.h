// SPDX-License-Identifier: Apache-2.0
// The one table of metrics: a row is the name, its help, its labels, and how its value is read. /metrics and
// the README's table are made of it. Plain functions, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pmd/engine.h"

namespace podswitch {

struct BuildInfo {
  std::string version;
  std::string dpdk;
};

// All figures of one moment.
struct Figures {
  BuildInfo build;
  uint64_t start_time_seconds = 0;  // since 1970
  SwitchStatus status;
  bool workers_make_progress = true;
  size_t ports_left_out = 0;
  std::vector<PortStatus> ports;
  std::vector<WorkerStatus> workers;
  std::vector<OffloadStatus> offloads;
};

struct MetricLabel {
  std::string_view name;
  std::string value;
};
struct MetricSample {
  std::vector<MetricLabel> labels;
  double value = 0;
};

struct Metric {
  std::string_view name;  // without kMetricPrefix
  bool is_counter;
  std::string_view labels;  // for the documentation: "port, network"
  std::string_view help;
  std::vector<MetricSample> (*samples)(const Figures& figures);
};

inline constexpr std::string_view kMetricPrefix = "podswitch_";

std::span<const Metric> metric_table();
// The README's table.
std::string metrics_markdown();

}  // namespace podswitch
