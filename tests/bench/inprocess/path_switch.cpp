// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/path_switch.h"

#include <stdexcept>

namespace podswitch::bench {
namespace {

constexpr PortId kPlainSource = 3, kPlainSink = 4;

PortId source_of(Path path) {
  if (path == Path::BridgeOuter) return kPlainSource;
  return path == Path::Decapsulate ? kUplinkPort : kPodPort;
}
PortId sink_of(Path path) {
  if (path == Path::BridgeOuter) return kPlainSink;
  return path == Path::Encapsulate ? kUplinkPort : kOtherPodPort;
}

// The flows are four fifths of the table.
uint32_t capacity_for(Path path, uint32_t flows) {
  const bool has_flows = path == Path::Serve || path == Path::RouteBeside;
  return has_flows ? std::max(kMinFlows, flows + flows / 4) : kMinFlows;
}

BridgePort plain_port(PortId id) {
  BridgePort made;
  made.id = id;
  made.network = "plain";
  return made;
}

// Both of one type, though the ports that carry short and long frames are not.
double cpu_seconds(Path path, const Port& source) {
  if (path != Path::BridgeOuter && path != Path::Decapsulate)
    return static_cast<const SourcePort&>(source).worker_cpu_seconds();
  return static_cast<const SourcePortOf<TunnelFrame>&>(source).worker_cpu_seconds();
}

}  // namespace

PathSwitch::PathSwitch(Path path, unsigned core, const PathTraffic& traffic, const Cluster& cluster,
                       rte_mempool& pool)
    : host_(pool),
      path_(path),
      flow_memory_("", capacity_for(path, traffic.flows), true),
      flows_(flow_memory_.table(), {.capacity = capacity_for(path, traffic.flows)}, flow_memory_.hash()),
      bridge_ports_(Cluster::ports()),
      routing_(cluster.routing()),
      cluster_(cluster) {
  if (path == Path::RouteBeside || path == Path::Serve)
    routing_.services = {"default", cluster.services(traffic.services)};
  bridge_ports_.push_back(plain_port(kPlainSource));
  bridge_ports_.push_back(plain_port(kPlainSink));
  make_ports(traffic);
  worker_ = std::make_unique<Worker>(Worker::Setup{0, core, IdlePolicy::Adaptive, publisher_, fdb_,
                                                   remote_fdb_, neighbours_, link_hosts_, pool,
                                                   clock_seconds_, fragments_, ip_ids_, flows_});
  run(false);
  fill_table();
  worker_->start();
}

PathSwitch::~PathSwitch() {
  run(false);
  worker_->stop();
}

void PathSwitch::make_ports(const PathTraffic& traffic) {
  const uint32_t flows = traffic.flows;
  const PortId from = source_of(path_), to = sink_of(path_);
  std::unique_ptr<Port> source;
  if (path_ == Path::Bridge)
    source = std::make_unique<SourcePort>(from, host_, cluster_.bridged(flows));
  else if (path_ == Path::Encapsulate)
    source = std::make_unique<SourcePort>(from, host_, cluster_.to_nodes(flows));
  else if (path_ == Path::Route || path_ == Path::RouteBeside)
    source = std::make_unique<SourcePort>(from, host_, cluster_.to_pods(flows));
  else if (path_ == Path::Serve)
    source = std::make_unique<SourcePort>(from, host_, cluster_.to_services(flows, traffic.services));
  else
    source = std::make_unique<SourcePortOf<TunnelFrame>>(from, host_, cluster_.from_nodes(flows));
  source_ = std::make_unique<PortSlot>(std::move(source));
  sink_ = std::make_unique<PortSlot>(std::make_unique<SinkPort>(to, host_, 1));
}

// As the housekeeping thread would have done it.
void PathSwitch::fill_table() {
  const auto learn = [&](const MacAddress& mac, PortId port) {
    const Fid fid = publisher_.current()->snapshot->ports[port].fid;
    if (fdb_.learn(fdb_key(mac.as_u64(), fid), port, 1) != Fdb::Outcome::Stored)
      throw std::runtime_error("the table does not take a MAC");
  };
  for (const BridgePort& port : bridge_ports_)
    if (port.mac) learn(*port.mac, port.id);
  learn(Cluster::outer_source(), kPlainSource);
  learn(Cluster::outer_destination(), kPlainSink);
}

void PathSwitch::run(bool active) {
  auto revision = std::make_unique<Revision>();
  revision->number = ++revision_;
  revision->snapshot = compile_snapshot(bridge_ports_, Cluster::gateway(), routing_, fids_);
  WorkerView& view = revision->workers.emplace_back();
  view.routes.resize(kMaxPorts);
  for (const PortSlot* slot : {source_.get(), sink_.get()})
    view.routes[slot->port->id()] = {slot->port.get(), nullptr, 0};
  if (active) view.queues.push_back({source_->port.get(), 0});
  view.order = std::make_unique<PollOrder>(static_cast<uint16_t>(view.queues.size()));
  publisher_.publish(std::move(revision), [&] { worker_->wake(); });
}

Reading PathSwitch::read() const {
  const WorkerFigures& figures = worker_->figures();
  return {figures.busy_cycles.get(), figures.packets.get(), cpu_seconds(path_, *source_->port)};
}

uint64_t PathSwitch::lost() const {
  return worker_->figures().packets.get() - worker_->counters()[sink_->port->id()].tx_packets.get();
}

}  // namespace podswitch::bench
