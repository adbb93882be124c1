// SPDX-License-Identifier: Apache-2.0
// The rows of `podswitch route`.
#include "ctl/commands.h"

namespace podswitch {
namespace {

const Parameter kNetwork{
    .name = "network", .value_name = "NAME", .help = "the network of the pods; default: default"};

}  // namespace

std::vector<Command> route_commands() {
  return {
      {.noun = "route",
       .verb = "add",
       .help = "add a static route; the same route again changes nothing",
       .parameters =
           {{.name = "prefix",
             .value_name = "CIDR",
             .help = "the addresses that it leads to, such as 172.16.0.0/12",
             .is_positional = true,
             .is_required = true},
            {.name = "via",
             .value_name = "ADDRESS",
             .help = "who carries the packets on: a pod of the network, or a router on the uplink's own "
                     "link; not given: nobody, and senders are told so"},
            kNetwork},
       .handler = &Commands::route_add},
      {.noun = "route",
       .verb = "del",
       .help = "delete static routes, all or none",
       .parameters = {{.name = "prefix",
                       .value_name = "CIDR",
                       .help = "the routes' prefixes",
                       .shape = Shape::Texts,
                       .is_positional = true,
                       .is_required = true},
                      kNetwork},
       .handler = &Commands::route_del},
      {.noun = "route",
       .verb = "list",
       .help = "list all routes that packets follow: pods', nodes', static ones; and static ones that lead "
               "nowhere now",
       .parameters = {{.name = "network", .value_name = "NAME", .help = "only of this network"},
                      {.name = "limit",
                       .value_name = "N",
                       .help = "at most this many rows, up to 400000; default 100000",
                       .shape = Shape::Number}},
       .view = View::Table,
       .columns =
           {{"NETWORK", "network"}, {"PREFIX", "prefix"}, {"NEXT HOP", "next_hop"}, {"STATIC", "static"}},
       .handler = &Commands::route_list},
  };
}

}  // namespace podswitch
