// SPDX-License-Identifier: Apache-2.0
// The rows about Kubernetes' Services and EndpointSlices as objects.
#include "ctl/commands.h"

namespace podswitch {
namespace {

std::vector<Parameter> selection() {
  return {
      {.name = "name",
       .value_name = "NAMESPACE/NAME",
       .help = "only these; NAME alone is in namespace default",
       .shape = Shape::Texts,
       .is_positional = true},
      {.name = "chunk-size",
       .value_name = "N",
       .help = "objects in one answer of the daemon's, up to 10000; default 500. It is asked until all came",
       .shape = Shape::Number},
      {.name = "after",
       .value_name = "NAMESPACE/NAME",
       .help = "begin behind this one, in the order of their names"}};
}

std::vector<Parameter> names(std::string_view help) {
  return {{.name = "name",
           .value_name = "NAMESPACE/NAME",
           .help = help,
           .shape = Shape::Texts,
           .is_positional = true,
           .is_required = true}};
}

}  // namespace

std::vector<Command> get_object_commands() {
  return {{.noun = "get",
           .verb = "services",
           .help = "show the services; with -o json or -o yaml as objects that apply takes",
           .parameters = selection(),
           .view = View::Table,
           .columns = {{"NAME", "name"}, {"TYPE", "type"}, {"CLUSTER IP", "cluster-ip"}, {"PORTS", "ports"}},
           .handler = &Commands::get_services,
           .is_in_chunks = true},
          {.noun = "get",
           .verb = "endpointslices",
           .help = "show the endpoint slices; with -o json or -o yaml as objects that apply takes",
           .parameters = selection(),
           .view = View::Table,
           .columns = {{"NAME", "name"},
                       {"SERVICE", "service"},
                       {"TYPE", "type"},
                       {"PORTS", "ports"},
                       {"ENDPOINTS", "endpoints", Format::Count},
                       {"READY", "ready", Format::Count}},
           .handler = &Commands::get_endpointslices,
           .is_in_chunks = true}};
}

std::vector<Command> delete_object_commands() {
  return {{.noun = "delete",
           .verb = "service",
           .help = "delete services, all or none; their endpoint slices stay",
           .parameters = names("the services' names"),
           .handler = &Commands::delete_services},
          {.noun = "delete",
           .verb = "endpointslice",
           .help = "delete endpoint slices, all or none",
           .parameters = names("the endpoint slices' names"),
           .handler = &Commands::delete_endpointslices}};
}

}  // namespace podswitch
