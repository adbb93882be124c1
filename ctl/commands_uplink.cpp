// SPDX-License-Identifier: Apache-2.0
// The rows of `podswitch uplink`, which the client carries out by itself.
#include "ctl/commands.h"

namespace podswitch {
namespace {

const Parameter kStateDirectory{.name = "state-directory",
                                .value_name = "DIR",
                                .help =
                                    "where the uplink's state is kept; default: the running daemon's, or "
                                    "/var/lib/podswitch",
                                .hint = Hint::File};

Command uplink_command(std::string_view verb, std::string_view help, std::vector<Parameter> parameters = {}) {
  parameters.push_back(kStateDirectory);
  return {.noun = "uplink", .verb = verb, .help = help, .parameters = std::move(parameters)};
}

std::vector<Parameter> attach_parameters() {
  return {{.name = "interface",
           .value_name = "IFACE",
           .help = "the NIC",
           .is_positional = true,
           .is_required = true},
          {.name = "type", .value_name = "KIND", .help = "af-packet, af-xdp or ethdev; default: af-packet"},
          {.name = "queues",
           .value_name = "N",
           .help = "queue pairs of both ports: 1 to 16; default: 1",
           .shape = Shape::Number},
          {.name = "vlan",
           .value_name = "ID",
           .help = "the underlay's tag: the addresses are taken from IFACE's VLAN interface with it",
           .shape = Shape::Number},
          {.name = "timeout",
           .value_name = "S",
           .help = "seconds within which to confirm; default: 60",
           .shape = Shape::Number},
          {.name = "yes", .value_name = "", .help = "confirm at once", .shape = Shape::Flag},
          {.name = "dry-run", .value_name = "", .help = "show what would be done", .shape = Shape::Flag}};
}

}  // namespace

std::vector<Command> uplink_commands() {
  return {
      uplink_command("attach",
                     "give the switch a NIC of the node; its addresses and routes move to the host port",
                     attach_parameters()),
      uplink_command("confirm", "keep what `uplink attach` did"),
      uplink_command("detach", "give the NIC its addresses and routes back, for good"),
      {.noun = "uplink",
       .verb = "status",
       .help = "show the uplink, and where the node's addresses are",
       .parameters = {kStateDirectory},
       .view = View::Record,
       .columns = {{"Phase", "phase"},
                   {"Rolled back in", "rollback_in_seconds", Format::Seconds},
                   {"NIC", "nic"},
                   {"Type", "type"},
                   {"Queues", "queues"},
                   {"VLAN", "vlan"},
                   {"Addresses from", "source"},
                   {"Host interface", "host"},
                   {"MAC", "mac"},
                   {"MTU", "mtu"},
                   {"Kernel blocked", "kernel_blocked"}}},
      uplink_command("rollback", "undo `uplink attach` without asking the daemon; the timer does this",
                     {{.name = "attachment",
                       .value_name = "ID",
                       .help = "only this one, and only while it is not confirmed"},
                      {.name = "after",
                       .value_name = "S",
                       .help = "wait so many seconds for a confirmation",
                       .shape = Shape::Number}}),
      uplink_command("release",
                     "give the NIC back until the daemon starts again; systemd does this after a stop",
                     {{.name = "after-stop",
                       .value_name = "",
                       .help = "not when $SERVICE_RESULT says that systemd starts the daemon again",
                       .shape = Shape::Flag}}),
      uplink_command("resume", "take the NIC again after the daemon's start; systemd does this",
                     {{.name = "same-boot",
                       .value_name = "",
                       .help = "not after a boot, when the NIC may not have all of its addresses yet",
                       .shape = Shape::Flag}}),
  };
}

}  // namespace podswitch
