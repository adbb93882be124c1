// SPDX-License-Identifier: Apache-2.0
// get and delete of Services and EndpointSlices.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/objects/endpoint_slice_object.h"
#include "ctl/objects/object_name.h"
#include "ctl/objects/service_object.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxEndpointsOfAnswer = 50000;  // about 10 MB

// The objects of one answer. Where it ends early, it says behind which one the next begins.
class Chunk {
 public:
  explicit Chunk(const Call& call) {
    constexpr uint64_t kDefault = 500, kMax = 10000;
    most_ = call.arguments.value("chunk-size", kDefault);
    if (most_ == 0 || most_ > kMax)
      throw Error("chunk-size", fmt::format("{} is out of range: 1 to {}", most_, kMax));
  }

  bool is_full() const { return items_.size() >= most_ || endpoints_ > kMaxEndpointsOfAnswer; }
  void add(const ServiceSpec& service) { items_.push_back(service_to_object(service)); }
  void add(const EndpointSlice& slice) {
    endpoints_ += slice.endpoints.size();
    items_.push_back(slice_to_object(slice));
  }
  void go_on_after(const ObjectName& name) { next_ = to_string(name); }
  Json list() {
    Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items_)}};
    if (!next_.empty()) list["metadata"]["continue"] = next_;
    return list;
  }

 private:
  uint64_t most_;
  size_t endpoints_ = 0;
  Json items_ = Json::array();
  std::string next_;
};

std::vector<ObjectName> names_of(const Call& call) {
  std::vector<ObjectName> names;
  std::vector<Problem> problems;
  const auto texts = call.texts("name");
  for (size_t i = 0; i < texts.size(); ++i) {
    try {
      names.push_back(parse_object_name(texts[i]));
    } catch (const Error& error) {
      problems.push_back({fmt::format("name[{}]", i), error.problems().front().message});
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  return names;
}

// Puts into one answer what `find` gives for the names that were asked for, or for all of `map` in their
// order.
template <typename Map, typename Find>
Json chunk_of(const Call& call, const Map& map, std::string_view kind, Find&& find) {
  Chunk chunk(call);
  const auto names = names_of(call);
  for (const ObjectName& name : names) {
    const auto* object = find(name);
    if (object == nullptr) throw Error("name", fmt::format("no {} {}", kind, to_string(name)));
    chunk.add(*object);
  }
  if (!names.empty()) return chunk.list();
  auto at = map.begin();
  if (call.arguments.contains("after")) {
    try {
      at = map.behind(parse_object_name(call.text("after")));
    } catch (const Error& error) {
      throw under("after", error);
    }
  }
  ObjectName last;
  for (; at != map.end(); ++at) {
    const auto* object = find(at->first);
    if (object == nullptr) continue;
    if (chunk.is_full()) {
      chunk.go_on_after(last);
      break;
    }
    chunk.add(*object);
    last = at->first;
  }
  return chunk.list();
}

Json deleted(const std::vector<ObjectName>& names, std::string_view kind) {
  return {{"deleted", names.size()},
          {"message", names.size() == 1 ? fmt::format("{} {} deleted", kind, to_string(names[0]))
                                        : fmt::format("{} {}s deleted", names.size(), kind)}};
}

std::vector<ObjectName> once(std::vector<ObjectName> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

Answer DaemonCommands::get_services(const Call& call) {
  const Services& services = controller_.services();
  return answer(chunk_of(call, services, "service",
                         [&](const ObjectName& name) { return find_service(services, name); }));
}

Answer DaemonCommands::get_endpointslices(const Call& call) {
  const Services& services = controller_.services();
  const ServiceIndex& index = controller_.service_index();
  return answer(
      chunk_of(call, index.slices(), "endpoint slice", [&](const ObjectName& name) -> const EndpointSlice* {
        const std::string* service = index.service_of(name);
        return service == nullptr ? nullptr : find_slice(services, name, *service);
      }));
}

Answer DaemonCommands::delete_services(const Call& call) {
  const auto names = once(names_of(call));
  return {controller_.remove_services(call.caller, names), deleted(names, "service")};
}

Answer DaemonCommands::delete_endpointslices(const Call& call) {
  const auto names = once(names_of(call));
  return {controller_.remove_slices(call.caller, names), deleted(names, "endpoint slice")};
}

}  // namespace podswitch
