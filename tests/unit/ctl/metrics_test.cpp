// SPDX-License-Identifier: Apache-2.0
#include "ctl/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>
#include <stdlib.h>

#include <fstream>

#include "tests/unit/temporary_directory.h"

namespace podswitch {
namespace {

using testing::HasSubstr;

std::string text_of(const Figures& figures) {
  return prometheus::TextSerializer().Serialize(metric_families(figures));
}

Figures example() {
  Figures figures;
  figures.build = {"1.2.3", "DPDK 22.11"};
  figures.start_time_seconds = 1700000000;
  figures.status.tsc_hz = 2000;
  figures.status.fdb_size = 5;
  figures.status.flows = {.in_use = 11,
                          .capacity = 12,
                          .begun = 13,
                          .refused = 14,
                          .evicted = 15,
                          .expired = 16,
                          .ports_changed = 17,
                          .bytes = 18,
                          .file = {}};
  figures.workers_make_progress = false;
  figures.ports_left_out = 2;
  PortStatus port;
  port.spec.name = "web";
  port.state.up = true;
  port.figures.rx_packets = 9007199254740000;
  port.figures.reasons[static_cast<size_t>(DropReason::TxFull)] = 3;
  port.members = {{.name = "eth0", .state = MemberState::NoLink, .partner = {}},
                  {.name = "eth1", .state = MemberState::Active, .partner = {}}};
  figures.ports.push_back(port);
  WorkerStatus worker;
  worker.core = 2;
  worker.busy_cycles = 3000;
  figures.workers.push_back(worker);
  figures.offloads = {{"up", "unknown-vtep-drop", true, 3, 7, ""}, {"up", "inner-rss", false, 0, {}, "why"}};
  return figures;
}

TEST(Metrics, CarryTheFigures) {
  const std::string text = text_of(example());
  for (const char* line :
       {"podswitch_port_receive_packets_total{port=\"web\",network=\"default\"} 9007199254740000\n",
        "podswitch_port_up{port=\"web\",network=\"default\"} 1\n",
        "podswitch_member_link{port=\"web\",member=\"eth0\"} 0\n",
        "podswitch_member_active{port=\"web\",member=\"eth0\"} 0\n",
        "podswitch_member_link{port=\"web\",member=\"eth1\"} 1\n",
        "podswitch_member_active{port=\"web\",member=\"eth1\"} 1\n",
        "podswitch_drops_total{port=\"web\",reason=\"tx_full\"} 3\n",
        "podswitch_drops_total{port=\"web\",reason=\"malformed\"} 0\n",
        "podswitch_notes_total{port=\"web\",reason=\"fdb_full\"} 0\n",
        "podswitch_offload_in_nic{port=\"up\",offload=\"unknown-vtep-drop\"} 1\n",
        "podswitch_offload_in_nic{port=\"up\",offload=\"inner-rss\"} 0\n",
        "podswitch_flows 11\n",
        "podswitch_flows_capacity 12\n",
        "podswitch_flows_bytes 18\n",
        "podswitch_flows_begun_total 13\n",
        "podswitch_flows_refused_total 14\n",
        "podswitch_flows_evicted_total 15\n",
        "podswitch_flows_expired_total 16\n",
        "podswitch_flows_ports_changed_total 17\n",
        "podswitch_offload_packets_total{port=\"up\",offload=\"unknown-vtep-drop\"} 7\n",
        "podswitch_worker_busy_seconds_total{core=\"2\"} 1.5\n",
        "podswitch_fdb_entries 5\n",
        "podswitch_workers_make_progress 0\n",
        "podswitch_ports_left_out 2\n",
        "podswitch_build_info{version=\"1.2.3\",dpdk=\"DPDK 22.11\"} 1\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, HaveOneSeriesPerReasonAndPort) {
  const std::string text = text_of(example());
  for (const ReasonInfo& reason : kReasons)
    EXPECT_THAT(text, HasSubstr("reason=\"" + std::string(reason.name) + "\"")) << reason.name;
  for (const Metric& metric : metric_table())
    EXPECT_EQ(metric.name.ends_with("_total"), metric.is_counter) << metric.name;
}

TEST(Metrics, PleasePromtool) {
  if (system("command -v promtool >/dev/null") != 0)
    GTEST_SKIP() << "promtool is not installed (package prometheus)";
  const TemporaryDirectory directory;
  std::ofstream(directory / "metrics") << text_of(example());
  EXPECT_EQ(system(("promtool check metrics < " + (directory / "metrics")).c_str()), 0);
}

}  // namespace
}  // namespace podswitch
