// SPDX-License-Identifier: Apache-2.0
// The rows about networks that are stretched over nodes.
#include "ctl/commands.h"

namespace podswitch {
namespace {

Parameter network_names(std::string_view help, Shape shape) {
  return {.name = "name",
          .value_name = "NAME",
          .help = help,
          .shape = shape,
          .is_positional = true,
          .is_required = true,
          .hint = Hint::Network};
}

const Parameter kRemoteMac{
    .name = "mac", .value_name = "MAC", .help = "the address", .is_positional = true, .is_required = true};
const Parameter kRemoteNetwork{.name = "network",
                               .value_name = "N",
                               .help = "the network, one that is stretched over nodes",
                               .is_required = true,
                               .hint = Hint::Network};

}  // namespace

std::vector<Command> network_commands() {
  return {
      {.noun = "network",
       .verb = "add",
       .help = "stretch a network over the nodes: the ports in it are bridged with those on other nodes",
       .parameters = {{.name = "name",
                       .value_name = "NAME",
                       .help = "the network, as in port add --network",
                       .is_positional = true,
                       .is_required = true},
                      {.name = "vni",
                       .value_name = "N",
                       .help = "its virtual network identifier, the same on all nodes: 1 to 16777215",
                       .shape = Shape::Number,
                       .is_required = true}},
       .handler = &Commands::network_add},
      {.noun = "network",
       .verb = "del",
       .help = "keep networks to this node again, all or none; their ports stay",
       .parameters = {network_names("the networks' names", Shape::Texts)},
       .handler = &Commands::network_del},
      {.noun = "network",
       .verb = "list",
       .help = "list the networks: local to this node, routed to other nodes, or bridged with them",
       .view = View::Table,
       .columns =
           {{"NAME", "name"}, {"MODE", "mode"}, {"VNI", "vni"}, {"POD MTU", "pod-mtu"}, {"PORTS", "ports"}},
       .handler = &Commands::network_list},
      {.noun = "network",
       .verb = "show",
       .help = "show all about one network",
       .parameters = {network_names("the network's name", Shape::Text)},
       .view = View::Record,
       .columns = {{"Name", "name"},
                   {"Mode", "mode"},
                   {"VNI", "vni"},
                   {"Source", "source"},
                   {"Pod MTU", "pod-mtu"},
                   {"Ports", "ports"}},
       .handler = &Commands::network_show}};
}

std::vector<Command> remote_commands() {
  return {
      {.noun = "fdb",
       .verb = "add",
       .help =
           "put a MAC address behind another node's VTEP, until fdb del; what is learned does not move it",
       .parameters = {kRemoteMac,
                      kRemoteNetwork,
                      {.name = "vtep",
                       .value_name = "IP",
                       .help = "one of the node's, as in node list",
                       .is_required = true}},
       .handler = &Commands::fdb_add},
      {.noun = "fdb",
       .verb = "del",
       .help = "undo fdb add",
       .parameters = {kRemoteMac, kRemoteNetwork},
       .handler = &Commands::fdb_del}};
}

}  // namespace podswitch
