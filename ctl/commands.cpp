// SPDX-License-Identifier: Apache-2.0
#include "ctl/commands.h"

#include <fmt/format.h>

#include <algorithm>

namespace podswitch {
namespace {

const std::vector<Column> kFigureColumns{
    {"RX PACKETS", "rx_packets", Format::Count}, {"RX BYTES", "rx_bytes", Format::Bytes},
    {"TX PACKETS", "tx_packets", Format::Count}, {"TX BYTES", "tx_bytes", Format::Bytes},
    {"RX ERRORS", "rx_errors", Format::Count},   {"TX ERRORS", "tx_errors", Format::Count},
    {"DROPPED", "dropped", Format::Count}};

// A record's labels are written like words.
const std::vector<Column> kFigureLines{
    {"RX packets", "rx_packets", Format::Count}, {"RX bytes", "rx_bytes", Format::Bytes},
    {"TX packets", "tx_packets", Format::Count}, {"TX bytes", "tx_bytes", Format::Bytes},
    {"RX errors", "rx_errors", Format::Count},   {"TX errors", "tx_errors", Format::Count},
    {"Dropped", "dropped", Format::Count}};

std::vector<Column> with_figures(std::vector<Column> columns, const std::vector<Column>& figures) {
  columns.insert(columns.end(), figures.begin(), figures.end());
  return columns;
}

Parameter port_name(std::string_view help) {
  return {.name = "name",
          .value_name = "NAME",
          .help = help,
          .is_positional = true,
          .is_required = true,
          .hint = Hint::Port};
}

Parameter node_names(std::string_view help) {
  return {.name = "name",
          .value_name = "NAME",
          .help = help,
          .shape = Shape::Texts,
          .is_positional = true,
          .is_required = true,
          .hint = Hint::Node};
}

const std::vector<Parameter> kNodeValues{
    {.name = "name",
     .value_name = "NAME",
     .help = "the node's name, as Kubernetes has it",
     .is_positional = true,
     .is_required = true},
    {.name = "vtep",
     .value_name = "IP",
     .help = "its address in the underlay, where tunnels end: one IPv4 address, one IPv6 address, or both",
     .shape = Shape::Texts,
     .is_required = true},
    {.name = "vtep-mac",
     .value_name = "MAC",
     .help = "inner destination MAC address of what is routed to it; made of the VTEP when not given"},
    {.name = "pod-cidr",
     .value_name = "CIDR",
     .help = "addresses of its pods, such as 10.244.1.0/24; no two nodes' overlap",
     .shape = Shape::Texts,
     .is_required = true}};

std::vector<Parameter> object_parameters() {
  return {
      {.name = "file",
       .value_name = "FILE",
       .help = "objects as YAML or JSON: one, several documents, or a List; - reads standard input",
       .is_required = true,
       .is_local = true,
       .hint = Hint::File,
       .letter = 'f'},
      {.name = "prune",
       .value_name = "KIND",
       .help =
           "Node, Service, EndpointSlice, Port, or several with commas: of these, what came by apply and is "
           "absent now goes",
       .shape = Shape::Texts},
      {.name = "allow-empty",
       .value_name = "",
       .help = "with --prune, also when no object of such a kind is there",
       .shape = Shape::Flag}};
}

const Parameter kPortFilter{
    .name = "port", .value_name = "PORT", .help = "only of this port", .hint = Hint::Port};

std::vector<Parameter> fdb_filter() {
  return {{.name = "network", .value_name = "N", .help = "only in this network", .hint = Hint::Network},
          kPortFilter,
          {.name = "mac", .value_name = "MAC", .help = "only this address"}};
}

std::vector<Parameter> fdb_list_parameters() {
  auto parameters = fdb_filter();
  parameters.push_back({.name = "limit",
                        .value_name = "N",
                        .help = "at most this many rows, up to 400000; default 100000",
                        .shape = Shape::Number});
  return parameters;
}

std::vector<Command> own_commands() {
  return {
      {.noun = "status",
       .verb = "",
       .help = "show the switch as a whole",
       .view = View::Record,
       .columns = {{"Node", "node"},
                   {"Version", "version"},
                   {"DPDK", "dpdk"},
                   {"Process", "pid"},
                   {"State directory", "state_directory"},
                   {"Up for", "uptime_seconds", Format::Seconds},
                   {"Revision", "revision"},
                   {"Ports", "ports"},
                   {"Ports up", "ports_up"},
                   {"Nodes", "nodes"},
                   {"Left out", "left_out"},
                   {"Services", "services"},
                   {"Service addresses and ports", "service_frontends"},
                   {"Service clashes", "service_clashes"},
                   {"Workers", "workers"},
                   {"Workers make progress", "workers_make_progress"},
                   {"Pod MTU", "pod_mtu"},
                   {"Gateway", "gateway"},
                   {"Gateway MAC", "gateway_mac"},
                   {"Hugepages", "hugepages"},
                   {"Memory", "memory_bytes", Format::Bytes},
                   {"Buffers", "buffers", Format::Count},
                   {"Buffers in use", "buffers_in_use", Format::Count},
                   {"Routes", "routes", Format::Count},
                   {"Routes' memory", "route_bytes", Format::Bytes},
                   {"FDB entries", "fdb_size", Format::Count},
                   {"FDB capacity", "fdb_capacity", Format::Count},
                   {"Remote FDB entries", "remote_fdb_size", Format::Count},
                   {"Connections", "flows", Format::Count},
                   {"Connections' capacity", "flows_capacity", Format::Count},
                   {"Connections' memory", "flow_bytes", Format::Bytes},
                   {"Connections' file", "flow_file"},
                   {"Neighbour answers", "neighbour_answers", Format::Count},
                   {"FDB moves", "fdb_moves", Format::Count},
                   {"Learn queue full", "learn_queue_full", Format::Count}},
       .handler = &Commands::status},

      {.noun = "port",
       .verb = "add",
       .help = "add a port, or many from a file; the same port again changes nothing",
       .parameters =
           {{.name = "name",
             .value_name = "NAME",
             .help = "the port's name: 1 to 63 letters, digits, '.', '_' or '-'",
             .is_positional = true},
            {.name = "file",
             .value_name = "FILE",
             .help = "ports as a JSON array or as JSON objects one after another, all or nothing; - reads "
                     "standard input",
             .is_local = true,
             .hint = Hint::File}},
       .takes_port_options = true,
       .handler = &Commands::port_add},
      {.noun = "port",
       .verb = "del",
       .help = "delete ports, all or none",
       .parameters = {{.name = "name",
                       .value_name = "NAME",
                       .help = "the ports' names",
                       .shape = Shape::Texts,
                       .is_positional = true,
                       .is_required = true,
                       .hint = Hint::Port}},
       .handler = &Commands::port_del},
      {.noun = "port",
       .verb = "list",
       .help = "list the ports",
       .view = View::Table,
       .columns = {{"NAME", "name"},
                   {"TYPE", "type"},
                   {"STATE", "state"},
                   {"NETWORK", "network"},
                   {"POD", "pod"},
                   {"MAC", "mac"},
                   {"IP", "ip"},
                   {"RX PACKETS", "rx_packets", Format::Count},
                   {"TX PACKETS", "tx_packets", Format::Count},
                   {"DROPPED", "dropped", Format::Count},
                   {"REASON", "reason"},
                   {"HINT", "hint"}},
       .handler = &Commands::port_list},
      {.noun = "port",
       .verb = "show",
       .help = "show all about one port",
       .parameters = {port_name("the port's name")},
       .view = View::Record,
       .columns = with_figures({{"Name", "name"},
                                {"Type", "type"},
                                {"State", "state"},
                                {"Reason", "reason"},
                                {"Hint", "hint"},
                                {"State changes", "state_changes", Format::Count},
                                {"Network", "network"},
                                {"Role", "role"},
                                {"Underlay", "underlay"},
                                {"Underlay gateway", "underlay-gateway"},
                                {"Pod", "pod"},
                                {"Pod UID", "uid"},
                                {"MAC", "mac"},
                                {"Device MAC", "device_mac"},
                                {"IP", "ip"},
                                {"MTU", "mtu"},
                                {"Queues", "queues"},
                                {"VLAN", "vlan"},
                                {"Trunk", "trunk"},
                                {"Allow spoofing", "allow-spoofing"},
                                {"Path", "path"},
                                {"Mode", "mode"},
                                {"Socket mode", "socket-mode"},
                                {"Socket group", "socket-group"},
                                {"Memif ID", "memif-id"},
                                {"Interface", "ifname"},
                                {"Namespace", "netns"},
                                {"Device", "device"},
                                {"Members", "members"},
                                {"Member states", "member_states"}},
                               kFigureLines),
       .handler = &Commands::port_show},

      {.noun = "node",
       .verb = "add",
       .help = "add a node of the cluster; the same node again changes nothing",
       .parameters = kNodeValues,
       .handler = &Commands::node_add},
      {.noun = "node",
       .verb = "del",
       .help = "delete nodes, all or none",
       .parameters = {node_names("the nodes' names")},
       .handler = &Commands::node_del},
      {.noun = "node",
       .verb = "list",
       .help = "list the nodes of the cluster",
       .view = View::Table,
       .columns = {{"NAME", "name"},
                   {"VTEP", "vtep"},
                   {"VTEP MAC", "vtep-mac"},
                   {"POD CIDR", "pod-cidr"},
                   {"SOURCE", "source"},
                   {"ROLE", "role"},
                   {"WAY", "way"},
                   {"MTU", "mtu"},
                   {"PATH MTU", "path-mtu"},
                   {"UNREACHABLE", "unreachable"}},
       .handler = &Commands::node_list},
      {.noun = "node",
       .verb = "show",
       .help = "show all about one node",
       .parameters = {{.name = "name",
                       .value_name = "NAME",
                       .help = "the node's name",
                       .is_positional = true,
                       .is_required = true,
                       .hint = Hint::Node}},
       .view = View::Record,
       .columns = {{"Name", "name"},
                   {"Role", "role"},
                   {"Source", "source"},
                   {"VTEP", "vtep"},
                   {"VTEP MAC", "vtep-mac"},
                   {"VTEP MAC for IPv6", "vtep-mac-v6"},
                   {"VNI", "vni"},
                   {"Pod CIDR", "pod-cidr"},
                   {"Way", "way"},
                   {"Via", "via"},
                   {"Via MAC", "via-mac"},
                   {"MTU", "mtu"},
                   {"Path MTU", "path-mtu"},
                   {"Unreachable", "unreachable"}},
       .handler = &Commands::node_show},

      {.noun = "apply",
       .verb = "",
       .help =
           "make nodes, services, endpoint slices and ports what the objects in a file say, all or nothing",
       .parameters = object_parameters()},
      {.noun = "diff",
       .verb = "",
       .help = "show what apply would change; exit code 0: nothing, 1: something, 2: it would be refused",
       .parameters = object_parameters(),
       .view = View::Table,
       .columns = {{"KIND", "kind"}, {"NAME", "name"}, {"CHANGE", "change"}, {"DETAILS", "details"}}},
      {.noun = "get",
       .verb = "nodes",
       .help = "show the nodes as objects that apply takes, with -o json or -o yaml",
       .view = View::Record,
       .handler = &Commands::get_nodes,
       .table_of = "node list"},
      {.noun = "delete",
       .verb = "node",
       .help = "the same as node del",
       .parameters = {node_names("the nodes' names")},
       .handler = &Commands::node_del},

      {.noun = "fdb",
       .verb = "list",
       .help = "list the forwarding database: which MAC address is behind which port, or which node's VTEP",
       .parameters = fdb_list_parameters(),
       .view = View::Table,
       .columns = {{"NETWORK", "network"},
                   {"VLAN", "vlan"},
                   {"MAC", "mac"},
                   {"PORT", "port"},
                   {"VTEP", "vtep"},
                   {"STATIC", "static"},
                   {"AGE", "age_seconds", Format::Seconds}},
       .handler = &Commands::fdb_list},
      {.noun = "fdb",
       .verb = "flush",
       .help = "forget learned addresses; static ones stay",
       .parameters = fdb_filter(),
       .handler = &Commands::fdb_flush},

      {.noun = "neighbour",
       .verb = "list",
       .help = "list who is reached over the uplink, and at which MAC address",
       .view = View::Table,
       .columns = {{"ADDRESS", "ip"},
                   {"MAC", "mac"},
                   {"HEARD", "age_seconds", Format::Seconds},
                   {"NEXT HOPS", "next_hops", Format::Count}},
       .handler = &Commands::neighbour_list},

      {.noun = "offload",
       .verb = "list",
       .help = "list what the uplink's NIC does for the switch, and what is left to software and why",
       .view = View::Table,
       .columns = {{"PORT", "port"},
                   {"OFFLOAD", "offload"},
                   {"WHERE", "where"},
                   {"RULES", "rules", Format::Count},
                   {"PACKETS", "packets", Format::Count},
                   {"REASON", "reason"}},
       .handler = &Commands::offload_list},

      {.noun = "worker",
       .verb = "list",
       .help = "list the workers, their queues and how busy they are",
       .view = View::Table,
       .columns = {{"CORE", "core"},
                   {"BUSY", "busy_share", Format::Share},
                   {"PACKETS", "packets", Format::Count},
                   {"CYCLES/PACKET", "cycles_per_packet", Format::Decimal},
                   {"AVERAGE BURST", "average_burst", Format::Decimal},
                   {"SLEEPS", "sleeps", Format::Count},
                   {"HANDED OVER", "handed_over", Format::Count},
                   {"TAKEN OVER", "taken_over", Format::Count},
                   {"QUEUES", "queues"}},
       .handler = &Commands::worker_list},
      {.noun = "worker",
       .verb = "assign",
       .help = "move a receive queue to another worker, and keep it there",
       .parameters = {{.name = "queue",
                       .value_name = "PORT:QUEUE",
                       .help = "the queue, numbered from 0",
                       .is_positional = true,
                       .is_required = true,
                       .hint = Hint::Queue},
                      {.name = "core",
                       .value_name = "CORE",
                       .help = "the worker's core",
                       .shape = Shape::Number,
                       .is_positional = true,
                       .is_required = true}},
       .handler = &Commands::worker_assign},

      {.noun = "drops",
       .verb = "",
       .help = "list why packets were dropped, by port of origin",
       .parameters = {{.name = "all",
                       .value_name = "",
                       .help = "also reasons that never occurred",
                       .shape = Shape::Flag},
                      kPortFilter},
       .view = View::Table,
       .columns = {{"PORT", "port"},
                   {"REASON", "reason"},
                   {"PACKETS", "packets", Format::Count},
                   {"WERE", "disposition"},
                   {"MEANING", "text"}},
       .handler = &Commands::drops},
      {.noun = "stats",
       .verb = "",
       .help = "show the ports' counters",
       .parameters = {{.name = "port",
                       .value_name = "PORT",
                       .help = "only of this port",
                       .is_positional = true,
                       .hint = Hint::Port},
                      {.name = "watch",
                       .value_name = "",
                       .help = "again and again, with rates per second, until Ctrl-C",
                       .shape = Shape::Flag,
                       .is_local = true},
                      {.name = "interval",
                       .value_name = "S",
                       .help = "seconds between two looks with --watch; default 1",
                       .shape = Shape::Number,
                       .is_local = true}},
       .view = View::Table,
       .columns = with_figures({{"PORT", "port"}}, kFigureColumns),
       .handler = &Commands::stats},
      {.noun = "log",
       .verb = "level",
       .help = "show the log level, or set it until the daemon ends",
       .parameters = {{.name = "level",
                       .value_name = "LEVEL",
                       .help = "debug, info, warning or error",
                       .is_positional = true,
                       .hint = Hint::LogLevel}},
       .handler = &Commands::log_level},
      {.noun = "version",
       .verb = "",
       .help = "show the versions of this program and of the daemon",
       .view = View::Record,
       .columns = {{"podswitch", "client"}, {"podswitchd", "version"}, {"DPDK", "dpdk"}},
       .handler = &Commands::version},
      {.noun = "completion",
       .verb = "bash",
       .help = "print the script that teaches bash to complete these commands"},
      {.noun = "help",
       .verb = "",
       .help = "show this help",
       .parameters = {{.name = "markdown",
                       .value_name = "",
                       .help = "this reference, for the README",
                       .shape = Shape::Flag},
                      {.name = "metrics-markdown",
                       .value_name = "",
                       .help = "the metrics, for the README",
                       .shape = Shape::Flag},
                      {.name = "drops-markdown",
                       .value_name = "",
                       .help = "the drop reasons, for the README",
                       .shape = Shape::Flag}}},
  };
}

// Puts `more` before the rows of `noun`.
void insert_before(std::string_view noun, const std::vector<Command>& more, std::vector<Command>& rows) {
  const auto place =
      std::find_if(rows.begin(), rows.end(), [&](const Command& row) { return row.noun == noun; });
  rows.insert(place, more.begin(), more.end());
}

// In the order of the help.
std::vector<Command> make_commands() {
  std::vector<Command> rows = own_commands();
  insert_before("apply", route_commands(), rows);
  insert_before("apply", service_commands(), rows);
  insert_before("apply", network_commands(), rows);
  insert_before("delete", get_object_commands(), rows);
  insert_before("fdb", delete_object_commands(), rows);
  insert_before("fdb", remote_commands(), rows);
  insert_before("offload", conntrack_commands(), rows);
  insert_before("drops", uplink_commands(), rows);
  return rows;
}

}  // namespace

std::string Command::name() const {
  return verb.empty() ? std::string(noun) : fmt::format("{} {}", noun, verb);
}

std::span<const Command> commands() {
  static const std::vector<Command> table = make_commands();
  return table;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name() == name) return &command;
  return nullptr;
}

}  // namespace podswitch
