// SPDX-License-Identifier: Apache-2.0
// The rows of `podswitch service`.
#include "ctl/commands.h"

namespace podswitch {

std::vector<Command> service_commands() {
  return {
      {.noun = "service",
       .verb = "list",
       .help = "list the Services: their addresses, ports, endpoints that are ready of all, and traffic",
       .parameters = {{.name = "namespace", .value_name = "NS", .help = "only of this Kubernetes namespace"},
                      {.name = "limit",
                       .value_name = "N",
                       .help = "at most this many rows, up to 400000; default 100000",
                       .shape = Shape::Number}},
       .view = View::Table,
       .columns = {{"NAMESPACE", "namespace"},
                   {"NAME", "name"},
                   {"TYPE", "type"},
                   {"VIP", "vips"},
                   {"PORTS", "ports"},
                   {"ENDPOINTS", "ready"},
                   {"CONNECTIONS", "connections", Format::Count},
                   {"PACKETS", "packets", Format::Count},
                   {"BYTES", "bytes", Format::Bytes}},
       .handler = &Commands::service_list},
      {.noun = "service",
       .verb = "show",
       .help = "show the endpoints of a Service: where they are, their conditions, and their share of new "
               "connections",
       .parameters = {{.name = "name",
                       .value_name = "NS/NAME",
                       .help = "the Service; without a namespace: of namespace default",
                       .is_positional = true,
                       .is_required = true}},
       .view = View::Table,
       .columns = {{"PORT", "port"},
                   {"FRONTENDS", "frontends"},
                   {"ENDPOINT", "endpoint"},
                   {"NODE", "node"},
                   {"CONDITIONS", "conditions"},
                   {"SHARE", "share", Format::Share},
                   {"CONNECTIONS", "connections", Format::Count}},
       .handler = &Commands::service_show},
      {.noun = "service",
       .verb = "where",
       .help = "show which endpoint a new connection gets, and why; those that are there keep theirs",
       .parameters = {{.name = "service",
                       .value_name = "NS/NAME:PORT",
                       .help = "the Service and the number or the name of its port",
                       .is_positional = true,
                       .is_required = true},
                      {.name = "from",
                       .value_name = "IP:PORT",
                       .help = "the client's address and port; IPv6 as [ADDRESS]:PORT",
                       .is_required = true}},
       .view = View::Table,
       .columns = {{"VIP", "frontend"},
                   {"ENDPOINT", "endpoint"},
                   {"NODE", "node"},
                   {"HASH", "hash"},
                   {"ENTRY", "entry"},
                   {"TABLE SIZE", "table_size"},
                   {"WHY", "why"}},
       .handler = &Commands::service_where}};
}

}  // namespace podswitch
