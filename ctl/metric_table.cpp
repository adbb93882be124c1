// SPDX-License-Identifier: Apache-2.0
#include "ctl/metric_table.h"

#include <fmt/format.h>

#include "switch/drop_reason.h"

namespace podswitch {
namespace {

using Samples = std::vector<MetricSample>;

template <typename Number>
MetricSample single(Number value) {
  return {{}, static_cast<double>(value)};
}

// One sample per port, read by `value`.
template <typename Value>
Samples per_port(const Figures& figures, Value&& value) {
  Samples samples;
  for (const PortStatus& port : figures.ports)
    samples.push_back(
        {{{"port", port.spec.name}, {"network", port.spec.network}}, static_cast<double>(value(port))});
  return samples;
}

// One sample per member of a bond.
template <typename Value>
Samples per_member(const Figures& figures, Value&& value) {
  Samples samples;
  for (const PortStatus& port : figures.ports)
    for (const MemberStatus& member : port.members)
      samples.push_back({{{"port", port.spec.name}, {"member", member.name}}, value(member) ? 1.0 : 0.0});
  return samples;
}

template <typename Value>
Samples per_worker(const Figures& figures, Value&& value) {
  Samples samples;
  for (const WorkerStatus& worker : figures.workers)
    samples.push_back({{{"core", std::to_string(worker.core)}}, static_cast<double>(value(worker))});
  return samples;
}

// Every reason of every port, also those at 0: a series that appears with its first drop hides that drop
// from rate().
Samples per_reason(const Figures& figures, Disposition disposition) {
  Samples samples;
  for (const PortStatus& port : figures.ports)
    for (size_t i = 0; i < kReasonCount; ++i)
      if (kReasons[i].disposition == disposition)
        samples.push_back({{{"port", port.spec.name}, {"reason", std::string(kReasons[i].name)}},
                           static_cast<double>(port.figures.reasons[i])});
  return samples;
}

Samples per_offload(const Figures& figures, bool is_counter) {
  Samples samples;
  for (const OffloadStatus& offload : figures.offloads) {
    if (is_counter && !offload.packets) continue;
    samples.push_back({{{"port", offload.port}, {"offload", offload.offload}},
                       is_counter       ? static_cast<double>(*offload.packets)
                       : offload.in_nic ? 1.0
                                        : 0.0});
  }
  return samples;
}

double seconds(const Figures& figures, uint64_t cycles) {
  return figures.status.tsc_hz == 0
             ? 0
             : static_cast<double>(cycles) / static_cast<double>(figures.status.tsc_hz);
}

constexpr std::string_view kPort = "port, network";
constexpr std::string_view kCore = "core";

// clang-format off
const Metric kMetrics[] = {
  {"port_receive_packets_total", true, kPort, "Packets received from the port's peer.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.figures.rx_packets; }); }},
  {"port_receive_bytes_total", true, kPort, "Bytes received from the port's peer, without frame check sequences.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.figures.rx_bytes; }); }},
  {"port_transmit_packets_total", true, kPort, "Packets sent to the port's peer.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.figures.tx_packets; }); }},
  {"port_transmit_bytes_total", true, kPort, "Bytes sent to the port's peer, without frame check sequences.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.figures.tx_bytes; }); }},
  {"port_receive_errors_total", true, kPort, "Receive errors that the device or the kernel reported.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.figures.rx_errors; }); }},
  {"port_transmit_errors_total", true, kPort, "Transmit errors that the device or the kernel reported.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.figures.tx_errors; }); }},
  {"port_up", false, kPort, "1 when the port carries packets, 0 when it is down.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.state.up ? 1 : 0; }); }},
  {"port_state_changes_total", true, kPort, "Times that the port went up or down.",
   [](const Figures& f) { return per_port(f, [](const PortStatus& p) { return p.state_changes; }); }},
  {"member_link", false, "port, member", "1 when this member of a bond has a link.",
   [](const Figures& f) { return per_member(f, [](const MemberStatus& m) { return m.has_link(); }); }},
  {"member_active", false, "port, member", "1 when this member of a bond carries packets; in 802.3ad several do.",
   [](const Figures& f) { return per_member(f, [](const MemberStatus& m) { return m.is_active(); }); }},
  {"ports_left_out", false, "", "Ports of the journal that clash with the config file and were left out at the start.",
   [](const Figures& f) { return Samples{single(f.ports_left_out)}; }},
  {"drops_total", true, "port, reason", "Packets dropped, by port of origin and reason.",
   [](const Figures& f) { return per_reason(f, Disposition::Dropped); }},
  {"notes_total", true, "port, reason", "Packets forwarded although something about them was refused, by port of origin and reason.",
   [](const Figures& f) { return per_reason(f, Disposition::Forwarded); }},
  {"offload_in_nic", false, "port, offload", "1 when the uplink's NIC does this work, 0 when software does.",
   [](const Figures& f) { return per_offload(f, false); }},
  {"offload_packets_total", true, "port, offload", "Packets that met the offload in the NIC, if its driver counts them; unknown-vtep-drop: dropped there.",
   [](const Figures& f) { return per_offload(f, true); }},
  {"worker_busy_seconds_total", true, kCore, "Time that the worker spent on packets.",
   [](const Figures& f) { return per_worker(f, [&](const WorkerStatus& w) { return seconds(f, w.busy_cycles); }); }},
  {"worker_idle_seconds_total", true, kCore, "Time that the worker polled in vain.",
   [](const Figures& f) { return per_worker(f, [&](const WorkerStatus& w) { return seconds(f, w.idle_cycles); }); }},
  {"worker_sleep_seconds_total", true, kCore, "Time that the worker slept.",
   [](const Figures& f) { return per_worker(f, [&](const WorkerStatus& w) { return seconds(f, w.sleep_cycles); }); }},
  {"worker_busy_cycles_total", true, kCore, "Time stamp counter cycles that the worker spent on packets.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.busy_cycles; }); }},
  {"worker_packets_total", true, kCore, "Packets that the worker received.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.packets; }); }},
  {"worker_bursts_total", true, kCore, "Bursts that the worker received.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.bursts; }); }},
  {"worker_sleeps_total", true, kCore, "Times that the worker went to sleep.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.sleeps; }); }},
  {"worker_handed_over_packets_total", true, kCore, "Packets out of tunnels that the worker received and others finished.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.handed_over; }); }},
  {"worker_taken_over_packets_total", true, kCore, "Packets out of tunnels that the worker finished for others.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.taken_over; }); }},
  {"worker_polls_total", true, kCore, "Loops of the worker; stands still only while it sleeps or hangs.",
   [](const Figures& f) { return per_worker(f, [](const WorkerStatus& w) { return w.polls; }); }},
  {"workers_make_progress", false, "", "1 while every worker finishes its loops or sleeps, 0 when one hangs.",
   [](const Figures& f) { return Samples{single(f.workers_make_progress)}; }},
  {"fdb_entries", false, "", "MAC addresses in the forwarding database.",
   [](const Figures& f) { return Samples{single(f.status.fdb_size)}; }},
  {"fdb_capacity", false, "", "MAC addresses that the forwarding database can hold.",
   [](const Figures& f) { return Samples{single(f.status.fdb_capacity)}; }},
  {"fdb_moves_total", true, "", "Learned addresses that moved to another port.",
   [](const Figures& f) { return Samples{single(f.status.fdb_moves)}; }},
  {"remote_fdb_entries", false, "", "MAC addresses known to be behind other nodes' VTEPs.",
   [](const Figures& f) { return Samples{single(f.status.remote_fdb_size)}; }},
  {"neighbour_answers_total", true, "", "Questions for the MAC of a pod of another node (ARP, neighbour discovery) that were answered here instead of being sent to every node.",
   [](const Figures& f) { return Samples{single(f.status.neighbour_answers)}; }},
  {"learn_queue_full_total", true, "", "Addresses not learned at once because the queue to the housekeeping thread was full.",
   [](const Figures& f) { return Samples{single(f.status.learn_queue_full)}; }},
  {"routes", false, "", "Routes of all networks.",
   [](const Figures& f) { return Samples{single(f.status.routes)}; }},
  {"route_bytes", false, "", "Memory of the routes' tables and next hops.",
   [](const Figures& f) { return Samples{single(f.status.route_bytes)}; }},
  {"services", false, "", "Services that have addresses.",
   [](const Figures& f) { return Samples{single(f.status.services)}; }},
  {"service_frontends", false, "", "Addresses and ports under which packets find a Service.",
   [](const Figures& f) { return Samples{single(f.status.service_frontends)}; }},
  {"service_clashes", false, "", "Addresses and ports that more than one Service claims.",
   [](const Figures& f) { return Samples{single(f.status.service_clashes)}; }},
  {"service_table_steps_total", true, "", "Service ports whose table of choices grew or shrank by a step, which moves most new connections.",
   [](const Figures& f) { return Samples{single(f.status.ladder_steps)}; }},
  {"fragmented_datagrams", false, "", "Datagrams whose later fragments know their ports.",
   [](const Figures& f) { return Samples{single(f.status.fragments)}; }},
  {"fragmented_datagrams_capacity", false, "", "Datagrams that can be known at a time.",
   [](const Figures& f) { return Samples{single(f.status.fragments_capacity)}; }},
  {"fragmented_datagrams_evicted_total", true, "", "Datagrams forgotten before their time, for others.",
   [](const Figures& f) { return Samples{single(f.status.fragments_evicted)}; }},
  {"fragmented_datagrams_busy_total", true, "", "Datagrams not noted, because another worker was writing at that place.",
   [](const Figures& f) { return Samples{single(f.status.fragments_busy)}; }},
  {"flows", false, "", "Connections that the switch tracks.",
   [](const Figures& f) { return Samples{single(f.status.flows.in_use)}; }},
  {"flows_capacity", false, "", "Connections that it can track at a time.",
   [](const Figures& f) { return Samples{single(f.status.flows.capacity)}; }},
  {"flows_bytes", false, "", "Memory of the table of connections.",
   [](const Figures& f) { return Samples{single(f.status.flows.bytes)}; }},
  {"flows_begun_total", true, "", "Connections that began.",
   [](const Figures& f) { return Samples{single(f.status.flows.begun)}; }},
  {"flows_refused_total", true, "", "Connections that found no place: the table was full, or no source port was free. Those to endpoints without their Service pass untracked.",
   [](const Figures& f) { return Samples{single(f.status.flows.refused)}; }},
  {"flows_evicted_total", true, "", "Connections forgotten before their time, for others: unanswered ones, or over.",
   [](const Figures& f) { return Samples{single(f.status.flows.evicted)}; }},
  {"flows_expired_total", true, "", "Connections forgotten because they were silent for too long; those that a later packet finds expired first are not among them.",
   [](const Figures& f) { return Samples{single(f.status.flows.expired)}; }},
  {"flows_ports_changed_total", true, "", "Connections whose source port had to be another one, because their answers would have looked like another's.",
   [](const Figures& f) { return Samples{single(f.status.flows.ports_changed)}; }},
  {"buffers", false, "", "Packet buffers.",
   [](const Figures& f) { return Samples{single(f.status.buffers)}; }},
  {"buffers_in_use", false, "", "Packet buffers that hold a packet.",
   [](const Figures& f) { return Samples{single(f.status.buffers_in_use)}; }},
  {"memory_bytes", false, "", "Memory reserved for packets and tables.",
   [](const Figures& f) { return Samples{single(f.status.memory_bytes)}; }},
  {"hugepages", false, "", "1 when the memory lies in hugepages, 0 when not.",
   [](const Figures& f) { return Samples{single(f.status.hugepages)}; }},
  {"revision", false, "", "Number of the revision that all workers run; grows with each change.",
   [](const Figures& f) { return Samples{single(f.status.revision)}; }},
  {"start_time_seconds", false, "", "When the daemon started, in seconds since 1970.",
   [](const Figures& f) { return Samples{single(f.start_time_seconds)}; }},
  {"build_info", false, "version, dpdk", "Always 1; the labels tell what runs.",
   [](const Figures& f) { return Samples{{{{"version", f.build.version}, {"dpdk", f.build.dpdk}}, 1}}; }},
};
// clang-format on

}  // namespace

std::span<const Metric> metric_table() {
  return kMetrics;
}

std::string metrics_markdown() {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Metric& metric : kMetrics)
    text += fmt::format("| `{}{}` | {} | {} | {} |\n", kMetricPrefix, metric.name,
                        metric.is_counter ? "counter" : "gauge", metric.labels, metric.help);
  return text;
}

}  // namespace podswitch
