// SPDX-License-Identifier: Apache-2.0
// Any text as a file of `podswitch apply`: JSON or YAML to objects, objects to nodes, services and endpoint
// slices. One that is taken gives itself back by every form it is written in, and of a file that is taken
// nothing nests deeper than the socket lets through.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "ctl/objects/endpoint_slice_object.h"
#include "ctl/objects/node_object.h"
#include "ctl/objects/object.h"
#include "ctl/objects/object_reader.h"
#include "ctl/objects/service_json.h"
#include "ctl/objects/service_object.h"
#include "ctl/objects/yaml_writer.h"
#include "ctl/protocol.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

void expect(bool good) {
  if (!good) std::abort();
}

template <typename Take>
void read(std::string_view text, Take&& take) {
  read_objects(
      [&](char* buffer, size_t size) {
        const size_t count = std::min(size, text.size());
        std::memcpy(buffer, text.data(), count);
        text.remove_prefix(count);
        return count;
      },
      [&](Json object, const ObjectPlace& place) { take(std::move(object), place); });
}

Json read_one(const std::string& text) {
  Json found;
  read(text, [&](Json object, const ObjectPlace&) {
    expect(found.is_null());
    found = std::move(object);
  });
  return found;
}

void check_node(const Json& object) {
  const ClusterNode node = node_from_object(object, "items[0]");
  expect(node_from_object(relevant_part(object), "") == node);
  expect(cluster_node_from_json(to_json(node)) == node);
  const Json written = node_to_object(node);
  expect(node_from_object(read_one(written.dump()), "") == node);
  expect(node_from_object(read_one(to_yaml(written)), "") == node);
}

// The value, its reader, and the object that it is written as.
template <typename Value, typename Read>
void check_forms(const Json& object, const Value& value, const Json& written, Read&& read_value) {
  expect(read_value(relevant_part(object)) == value);
  expect(read_value(read_one(written.dump())) == value);
  expect(read_value(read_one(to_yaml(written))) == value);
  expect(differences(value, value).empty());
}

void check_service(const Json& object) {
  const ServiceSpec service = service_from_object(object, "items[0]");
  check_forms(object, service, service_to_object(service),
              [](const Json& json) { return service_from_object(json, ""); });
  expect(service_from_json(to_json(service)) == service);
}

void check_slice(const Json& object) {
  const EndpointSlice slice = slice_from_object(object, "items[0]");
  check_forms(object, slice, slice_to_object(slice),
              [](const Json& json) { return slice_from_object(json, ""); });
  expect(slice_from_json(to_json(slice)) == slice);
}

void check_object(const Json& object, const ObjectPlace& place) {
  expect(object.is_object() && place.text(true).starts_with("documents["));
  const std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
  parse_line(R"({"id":1,"object":)" + text + "}");
  try {
    const auto kind = kind_of(object);
    if (!kind) kind_label(object);
    if (kind == ObjectKind::Node) check_node(object);
    if (kind == ObjectKind::Service) check_service(object);
    if (kind == ObjectKind::EndpointSlice) check_slice(object);
    if (kind == ObjectKind::Port) port_from_object(object, "");
  } catch (const Error& error) {
    expect(!error.problems().empty());
  }
}

}  // namespace
}  // namespace podswitch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    podswitch::read({reinterpret_cast<const char*>(data), size}, podswitch::check_object);
  } catch (const podswitch::Error&) {
  }
  return 0;
}
