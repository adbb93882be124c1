// SPDX-License-Identifier: Apache-2.0
#include "ctl/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "ctl/objects/object_name.h"
#include "ctl/objects/service_json.h"
#include "ctl/port_options.h"
#include "ctl/static_route.h"
#include "ctl/text.h"
#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic = "podswitch-journal ";
constexpr std::string_view kHeader = "podswitch-journal 1\n";
constexpr size_t kPrefixBytes = 18;  // "LLLLLLLL CCCCCCCC "

template <typename... Work>
struct Overloaded : Work... {
  using Work::operator()...;
};
template <typename... Work>
Overloaded(Work...) -> Overloaded<Work...>;

uint32_t crc_of(std::string_view data) {
  boost::crc_32_type crc;
  crc.process_bytes(data.data(), data.size());
  return crc.checksum();
}

std::string frame(std::string_view payload) {
  return fmt::format("{:08x} {:08x} {}\n", payload.size(), crc_of(payload), payload);
}

std::optional<uint32_t> hex_word(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The payload of the record at the start of `text`, its checksum verified; without what follows it.
std::optional<std::string_view> payload_at(std::string_view text) {
  if (text.size() < kPrefixBytes || text[8] != ' ' || text[17] != ' ') return std::nullopt;
  const auto length = hex_word(text.substr(0, 8));
  const auto crc = hex_word(text.substr(9, 8));
  if (!length || !crc || *length > text.size() - kPrefixBytes) return std::nullopt;
  const std::string_view payload = text.substr(kPrefixBytes, *length);
  if (crc_of(payload) != *crc) return std::nullopt;
  return payload;
}

// Whether a good record begins anywhere in `text`: then what is before it is damage, not a torn tail.
bool has_record(std::string_view text) {
  for (size_t at = 0; at + kPrefixBytes <= text.size(); ++at)
    if (text[at + 8] == ' ' && text[at + 17] == ' ' && payload_at(text.substr(at))) return true;
  return false;
}

Json to_json(const RemoteName& name) {
  return {{"network", name.network}, {"mac", name.mac.to_string()}};
}

RemoteName remote_name(const Json& json) {
  return {json.at("network").get<std::string>(), parse_mac(json.at("mac").get<std::string>())};
}

Json to_json(const Edit& edit) {
  return std::visit(
      Overloaded{[](const PortAdded& e) {
                   Json json{{"add", podswitch::to_json(e.spec)}};
                   if (e.is_applied) json["applied"] = true;
                   return json;
                 },
                 [](const PortRemoved& e) {
                   return Json{{"remove", e.name}};
                 },
                 [](const QueuePinned& e) {
                   return Json{{"pin", {{"port", e.queue.port}, {"queue", e.queue.queue}, {"core", e.core}}}};
                 },
                 [](const NodeSet& e) {
                   return Json{{"node", podswitch::to_json(*e.node)}};
                 },
                 [](const NodeRemoved& e) {
                   return Json{{"remove-node", e.name}};
                 },
                 [](const RouteAdded& e) {
                   return Json{{"route", podswitch::to_json(e.route)}};
                 },
                 [](const RouteRemoved& e) {
                   return Json{{"remove-route", {e.name.first, e.name.second.to_string()}}};
                 },
                 [](const NetworkSet& e) {
                   return Json{{"network", {{"name", e.name}, {"vni", e.vni}}}};
                 },
                 [](const NetworkRemoved& e) {
                   return Json{{"remove-network", e.name}};
                 },
                 [](const RemoteEntrySet& e) {
                   Json json{{"fdb", to_json(e.name)}};
                   json["fdb"]["vtep"] = e.vtep.to_string();
                   return json;
                 },
                 [](const RemoteEntryRemoved& e) {
                   return Json{{"remove-fdb", to_json(e.name)}};
                 },
                 [](const ServiceSet& e) {
                   return Json{{"service", podswitch::to_json(*e.service)}};
                 },
                 [](const ServiceRemoved& e) {
                   return Json{{"remove-service", to_string(e.name)}};
                 },
                 [](const SliceSet& e) {
                   Json json;
                   json["slice"] = podswitch::to_json(*e.slice);
                   if (!e.was_of.empty()) json["was-of"] = e.was_of;
                   return json;
                 },
                 [](const SliceRemoved& e) {
                   return Json{{"remove-slice", to_string(e.name)}, {"of", e.service}};
                 }},
      edit);
}

Edit edit_from_json(const Json& edit) {
  if (edit.contains("add")) {
    std::vector<Problem> problems;
    PortSpec spec = port_from_json(edit.at("add"), "", problems);
    if (!problems.empty()) throw Error(std::move(problems));
    return PortAdded{std::move(spec), edit.value("applied", false)};
  }
  if (edit.contains("node"))
    return NodeSet{std::make_shared<const ClusterNode>(cluster_node_from_json(edit.at("node")))};
  if (edit.contains("remove-node")) return NodeRemoved{edit.at("remove-node").get<std::string>()};
  if (edit.contains("route")) return RouteAdded{static_route_from_json(edit.at("route"))};
  if (edit.contains("remove-route")) {
    const Json& name = edit.at("remove-route");
    return RouteRemoved{
        {name.at(0).get<std::string>(), Prefix::parse(name.at(1).get<std::string>()).value()}};
  }
  if (edit.contains("remove")) return PortRemoved{edit.at("remove").get<std::string>()};
  if (edit.contains("network"))
    return NetworkSet{edit.at("network").at("name").get<std::string>(),
                      edit.at("network").at("vni").get<uint32_t>()};
  if (edit.contains("remove-network")) return NetworkRemoved{edit.at("remove-network").get<std::string>()};
  if (edit.contains("fdb"))
    return RemoteEntrySet{remote_name(edit.at("fdb")),
                          parse_ip(edit.at("fdb").at("vtep").get<std::string>())};
  if (edit.contains("remove-fdb")) return RemoteEntryRemoved{remote_name(edit.at("remove-fdb"))};
  if (edit.contains("service"))
    return ServiceSet{std::make_shared<const ServiceSpec>(service_from_json(edit.at("service")))};
  if (edit.contains("remove-service"))
    return ServiceRemoved{parse_object_name(edit.at("remove-service").get<std::string>())};
  if (edit.contains("slice"))
    return SliceSet{std::make_shared<const EndpointSlice>(slice_from_json(edit.at("slice"))),
                    edit.value("was-of", std::string())};
  if (edit.contains("remove-slice"))
    return SliceRemoved{parse_object_name(edit.at("remove-slice").get<std::string>()),
                        edit.at("of").get<std::string>()};
  const Json& pin = edit.at("pin");
  return QueuePinned{{pin.at("port").get<std::string>(), pin.at("queue").get<uint16_t>()},
                     pin.at("core").get<unsigned>()};
}

std::string record_of(const std::vector<Edit>& edits) {
  // One at a time: of a whole cluster all of them together would take gigabytes.
  std::string list = "[";
  for (const Edit& edit : edits) {
    if (list.size() > 1) list += ',';
    list += to_json(edit).dump();
  }
  return frame(list += ']');
}

// Calls take(edit) with each edit of a record, of which only one is held at a time.
template <typename Take>
void for_each_edit(std::string_view payload, Take&& take) {
  const auto event = [&](int depth, Json::parse_event_t what, Json& value) {
    if (depth != 1 || what != Json::parse_event_t::object_end) return true;
    take(edit_from_json(value));
    return false;
  };
  if (!Json::parse(payload, event).is_array()) throw Error("", "no list of edits");
}

std::vector<Edit> edits_of(const StoredState& state) {
  std::vector<Edit> edits;
  for (const auto& [name, spec] : state.ports)
    edits.push_back(PortAdded{spec, state.applied_ports.count(name) != 0});
  for (const auto& [queue, core] : state.pins) edits.push_back(QueuePinned{queue, core});
  for (const auto& [name, node] : state.nodes) edits.push_back(NodeSet{node});
  for (const auto& [name, route] : state.routes) edits.push_back(RouteAdded{route});
  for (const auto& [name, vni] : state.networks) edits.push_back(NetworkSet{name, vni});
  for (const auto& [name, vtep] : state.remote_entries) edits.push_back(RemoteEntrySet{name, vtep});
  for (const auto& [name, entry] : state.services) {
    if (entry.spec) edits.push_back(ServiceSet{entry.spec});
    for (const auto& slice : entry.slices) edits.push_back(SliceSet{slice, {}});
  }
  return edits;
}

}  // namespace

bool is_of_services(const Edit& edit) {
  return std::holds_alternative<ServiceSet>(edit) || std::holds_alternative<ServiceRemoved>(edit) ||
         std::holds_alternative<SliceSet>(edit) || std::holds_alternative<SliceRemoved>(edit);
}

void apply_edit(Services& services, const SliceSet& edit) {
  if (!edit.was_of.empty() && edit.was_of != edit.slice->service)
    take_slice(services, edit.slice->name, edit.was_of);
  put_slice(services, edit.slice);
}

void apply_edit(StoredState& state, const Edit& edit) {
  std::visit(
      Overloaded{[&](const PortAdded& e) {
                   state.ports.insert_or_assign(e.spec.name, e.spec);
                   if (e.is_applied)
                     state.applied_ports.insert(e.spec.name);
                   else
                     state.applied_ports.erase(e.spec.name);
                 },
                 [&](const PortRemoved& e) {
                   state.ports.erase(e.name);
                   state.applied_ports.erase(e.name);
                   std::erase_if(state.pins, [&](const auto& pin) { return pin.first.port == e.name; });
                 },
                 [&](const QueuePinned& e) { state.pins[e.queue] = e.core; },
                 [&](const NodeSet& e) { state.nodes.insert_or_assign(e.node->spec.name, e.node); },
                 [&](const NodeRemoved& e) { state.nodes.erase(e.name); },
                 [&](const RouteAdded& e) { state.routes.insert_or_assign(name_of(e.route), e.route); },
                 [&](const RouteRemoved& e) { state.routes.erase(e.name); },
                 [&](const NetworkSet& e) { state.networks[e.name] = e.vni; },
                 [&](const NetworkRemoved& e) {
                   state.networks.erase(e.name);
                   std::erase_if(state.remote_entries,
                                 [&](const auto& entry) { return entry.first.network == e.name; });
                 },
                 [&](const RemoteEntrySet& e) { state.remote_entries[e.name] = e.vtep; },
                 [&](const RemoteEntryRemoved& e) { state.remote_entries.erase(e.name); },
                 [&](const ServiceSet& e) { put_service(state.services, e.service); },
                 [&](const ServiceRemoved& e) { take_service(state.services, e.name); },
                 [&](const SliceSet& e) { apply_edit(state.services, e); },
                 [&](const SliceRemoved& e) { take_slice(state.services, e.name, e.service); }},
      edit);
}

Journal::Journal(std::string directory, JournalLimits limits)
    : directory_(std::move(directory)), path_(directory_ + "/journal"), limits_(limits) {
  make_directories(directory_, 0700);
  directory_fd_ = FileDescriptor(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  check_errno(directory_fd_.get(), directory_ + ": cannot open");
  lock_ = lock_file(directory_ + "/lock", directory_);
  load();
}

void Journal::load() {
  FileDescriptor fd(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno != ENOENT) check_errno(-1, path_ + ": cannot open");
  const std::string text = fd ? read_all(fd.get(), path_) : "";
  if (text.empty()) {
    rewrite({});
    return;
  }
  fd_ = std::move(fd);
  replay(text);
  if (size_ == text.size()) return;
  log::warning("{}: the last change was not written completely; {} bytes at offset {} are cut off", path_,
               text.size() - size_, size_);
  cut(size_);
}

void Journal::replay(const std::string& text) {
  const std::string_view whole = text;
  if (!whole.starts_with(kHeader)) {
    if (whole.starts_with(kMagic))
      throw Error(path_,
                  fmt::format("was written by another version of podswitch ('{}', this one reads '{}'): "
                              "start that version, or move the file away and add the ports and nodes again",
                              whole.substr(0, whole.find('\n')).substr(0, 40),
                              kHeader.substr(0, kHeader.size() - 1)));
    throw damage(0, "does not begin with a journal's header");
  }
  size_ = kHeader.size();
  while (size_ < whole.size()) {
    const std::string_view rest = whole.substr(size_);
    const auto payload = payload_at(rest);
    const size_t end = payload ? kPrefixBytes + payload->size() : 0;
    if (!payload || end >= rest.size() || rest[end] != '\n') {
      if (has_record(rest.substr(1))) throw damage(size_, "a record is damaged, and good ones follow it");
      return;
    }
    try {
      for_each_edit(*payload, [&](const Edit& edit) { apply_edit(state_, edit); });
    } catch (const std::exception& error) {
      throw damage(size_, fmt::format("a record cannot be understood ({})", error.what()));
    }
    size_ += end + 1;
    ++records_;
  }
}

Error Journal::damage(size_t offset, const std::string& what) const {
  return Error(
      path_,
      fmt::format("{} at offset {}. To keep what is before it, run `truncate -s {} {}`; to begin anew, "
                  "move the file away; the ports and nodes after it must be added again",
                  what, offset, offset, path_));
}

void Journal::cut(size_t size) {
  check_errno(ftruncate(fd_.get(), static_cast<off_t>(size)), path_ + ": cannot truncate");
  check_errno(fdatasync(fd_.get()), path_ + ": cannot sync");
}

StoredState Journal::append(const std::vector<Edit>& edits) {
  StoredState next = state_;
  for (const Edit& edit : edits) apply_edit(next, edit);
  const std::string record = record_of(edits);
  const size_t grown = size_ + record.size() - base_;
  const bool is_long = records_ + 1 > limits_.records || grown > limits_.bytes;
  if (is_damaged_ || (is_long && grown > base_ / 2)) return rewrite(std::move(next));
  try {
    check_errno(static_cast<int>(lseek(fd_.get(), static_cast<off_t>(size_), SEEK_SET) < 0 ? -1 : 0),
                path_ + ": cannot seek");
    write_all(fd_.get(), record, path_);
    check_errno(fdatasync(fd_.get()), path_ + ": cannot sync");
  } catch (const Error&) {
    // What is on the disk now is not known: nothing may be appended to it.
    is_damaged_ = true;
    if (ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0)
      log::error("{}: cannot truncate after a failed write", path_);
    throw;
  }
  size_ += record.size();
  ++records_;
  return std::exchange(state_, std::move(next));
}

StoredState Journal::rewrite(StoredState state) {
  const std::string temporary = path_ + ".new";
  FileDescriptor fd(open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  check_errno(fd.get(), temporary + ": cannot create");
  std::string text(kHeader);
  if (const auto edits = edits_of(state); !edits.empty()) text += record_of(edits);
  write_all(fd.get(), text, temporary);
  check_errno(fsync(fd.get()), temporary + ": cannot sync");
  check_errno(rename(temporary.c_str(), path_.c_str()), temporary + ": cannot rename");
  // Until the directory is on the disk, a power cut may bring back the old file.
  is_damaged_ = true;
  check_errno(fsync(directory_fd_.get()), directory_ + ": cannot sync");
  is_damaged_ = false;
  fd_ = std::move(fd);
  base_ = size_ = text.size();
  records_ = 0;
  return std::exchange(state_, std::move(state));
}

}  // namespace podswitch
