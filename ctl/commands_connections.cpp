// SPDX-License-Identifier: Apache-2.0
// The rows about connections, in the manner of conntrack-tools.
#include "ctl/commands.h"

namespace podswitch {
namespace {

std::vector<Parameter> with_filters(std::vector<Parameter> parameters) {
  const std::vector<Parameter> filters{
      {.name = "orig-src", .value_name = "CIDR", .help = "only from this address or prefix", .letter = 's'},
      {.name = "orig-dst", .value_name = "CIDR", .help = "only to this address or prefix", .letter = 'd'},
      {.name = "reply-src",
       .value_name = "CIDR",
       .help = "only with answers from this address or prefix: a Service's endpoints",
       .letter = 'r'},
      {.name = "reply-dst",
       .value_name = "CIDR",
       .help = "only with answers to this address or prefix",
       .letter = 'q'},
      {.name = "proto",
       .value_name = "PROTOCOL",
       .help = "only of tcp, udp, sctp, icmp, icmpv6, or a number",
       .letter = 'p'},
      {.name = "sport", .value_name = "PORT", .help = "only from this port", .shape = Shape::Number},
      {.name = "dport", .value_name = "PORT", .help = "only to this port", .shape = Shape::Number},
      {.name = "state",
       .value_name = "STATE",
       .help = "only in this state, such as ESTABLISHED or UNREPLIED"},
      {.name = "service",
       .value_name = "NS/NAME",
       .help = "only of this Service, or of one of its ports: NS/NAME:PORT"},
      {.name = "family", .value_name = "ipv4|ipv6", .help = "only of this family", .letter = 'f'}};
  parameters.insert(parameters.begin(), filters.begin(), filters.end());
  return parameters;
}

const Parameter kFrom{.name = "from",
                      .value_name = "PLACE",
                      .help =
                          "from this place of the table on: an answer has a part, and where the next begins; "
                          "this program asks for all of them",
                      .shape = Shape::Number};

}  // namespace

std::vector<Command> conntrack_commands() {
  return {
      {.noun = "conntrack",
       .verb = "list",
       .help = "list the connections that the switch tracks",
       .parameters = with_filters({{.name = "limit",
                                    .value_name = "N",
                                    .help = "at most so many; default: all",
                                    .shape = Shape::Number},
                                   kFrom}),
       .handler = &Commands::conntrack_list},
      {.noun = "conntrack",
       .verb = "stats",
       .help = "show the table of connections as a whole, and what has become of new ones",
       .view = View::Record,
       .columns = {{"Connections", "connections", Format::Count},
                   {"Capacity", "capacity", Format::Count},
                   {"Begun", "begun", Format::Count},
                   {"Refused", "refused", Format::Count},
                   {"Evicted", "evicted", Format::Count},
                   {"Expired", "expired", Format::Count},
                   {"Source ports changed", "ports_changed", Format::Count},
                   {"Memory", "bytes", Format::Bytes},
                   {"Hugepages", "hugepages"},
                   {"File", "file"}},
       .handler = &Commands::conntrack_stats},
      {.noun = "conntrack",
       .verb = "flush",
       .help = "forget connections: their next packets begin new ones, or are dropped where none may begin",
       .parameters = with_filters(
           {{.name = "all", .value_name = "", .help = "without a filter: all of them", .shape = Shape::Flag},
            kFrom}),
       .handler = &Commands::conntrack_flush},
  };
}

}  // namespace podswitch
