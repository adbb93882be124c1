// SPDX-License-Identifier: Apache-2.0
#include "lb/service_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "lb/stable_hash.h"

namespace podswitch {
namespace {

constexpr size_t kFrontendsOfShard = 16;  // on average, when their number is chosen
constexpr size_t kShardsOfPage = 64;

constexpr uint32_t port_key(uint8_t protocol, uint16_t port) noexcept {
  return uint32_t{protocol} << 16 | port;
}
uint32_t port_key(const Frontend& frontend) noexcept {
  return port_key(static_cast<uint8_t>(frontend.protocol), frontend.port);
}

}  // namespace

uint32_t choice_hash(const IpAddress& client, uint16_t client_port, const Frontend& frontend) noexcept {
  const uint64_t ports = uint64_t{client_port} << 32 | port_key(frontend);
  const uint64_t hash = stable_hash(client, stable_hash(frontend.ip, ports));
  return static_cast<uint32_t>(hash >> 32);
}

struct ServiceTable::Entry {
  Frontend frontend;
  std::shared_ptr<const Service> service;
};

// All of one address: most have few ports, which are in the same cache line as the address.
struct alignas(64) ServiceTable::Slot {
  static constexpr size_t kPorts = 3;
  struct Port {
    uint32_t key;
    const Service* service;
  };

  IpAddress ip;
  uint32_t count = 0;  // of its ports; 0: the slot is free
  std::array<uint32_t, kPorts> keys{};
  std::array<const Service*, kPorts> services{};
  const Port* more = nullptr;  // all of them by key, where there are more than kPorts

  const Service* find(uint32_t key) const noexcept {
    if (count > kPorts) {
      const Port* found = std::lower_bound(more, more + count, key,
                                           [](const Port& port, uint32_t k) { return port.key < k; });
      return found != more + count && found->key == key ? found->service : nullptr;
    }
    for (uint32_t i = 0; i < count; ++i)
      if (keys[i] == key) return services[i];
    return nullptr;
  }
};

struct ServiceTable::View {
  const Slot* slots = nullptr;
  uint64_t mask = 0;
};

// The addresses whose hashes begin alike. Open addressing, at most half full.
class ServiceTable::Shard {
 public:
  // By their frontends.
  explicit Shard(std::vector<Entry> entries) : entries_(std::move(entries)) {
    size_t addresses = 0;
    for (size_t i = 0; i < entries_.size(); i = end_of_address(i)) ++addresses;
    slots_.resize(std::bit_ceil(addresses * 2 + 1));
    more_.reserve(entries_.size());
    for (size_t i = 0; i < entries_.size();) {
      const size_t end = end_of_address(i);
      fill(free_slot(entries_[i].frontend.ip), {entries_.data() + i, end - i});
      i = end;
    }
  }

  const std::vector<Entry>& entries() const { return entries_; }
  View view() const { return {slots_.data(), slots_.size() - 1}; }
  size_t memory_bytes() const {
    return sizeof *this + entries_.capacity() * sizeof(Entry) + slots_.capacity() * sizeof(Slot) +
           more_.capacity() * sizeof(Slot::Port);
  }

 private:
  size_t end_of_address(size_t i) const {
    const IpAddress& ip = entries_[i].frontend.ip;
    while (i < entries_.size() && entries_[i].frontend.ip == ip) ++i;
    return i;
  }
  Slot& free_slot(const IpAddress& ip) {
    size_t i = hash_of(ip) & (slots_.size() - 1);
    while (slots_[i].count != 0) i = (i + 1) & (slots_.size() - 1);
    return slots_[i];
  }
  void fill(Slot& slot, std::span<const Entry> ports) {
    slot.ip = ports.front().frontend.ip;
    slot.count = static_cast<uint32_t>(ports.size());
    if (ports.size() > Slot::kPorts) {
      const size_t begin = more_.size();
      for (const Entry& entry : ports) more_.push_back({port_key(entry.frontend), entry.service.get()});
      slot.more = more_.data() + begin;
      std::sort(more_.begin() + static_cast<std::ptrdiff_t>(begin), more_.end(),
                [](const Slot::Port& a, const Slot::Port& b) { return a.key < b.key; });
      return;
    }
    for (size_t i = 0; i < ports.size(); ++i) {
      slot.keys[i] = port_key(ports[i].frontend);
      slot.services[i] = ports[i].service.get();
    }
  }

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  std::vector<Slot::Port> more_;  // what slots point into
};

struct ServiceTable::Page {
  std::array<std::shared_ptr<const Shard>, kShardsOfPage> shards;
};

ServiceTable::ServiceTable()
    : filter_(std::make_shared<const EndpointFilter>(0)), vips_(std::make_shared<EndpointFilter>(0)) {
  build({});
}
ServiceTable::~ServiceTable() = default;

uint64_t ServiceTable::hash_of(const IpAddress& ip) noexcept {
  const auto product = static_cast<unsigned __int128>(ip.v6.word(8) ^ 0x9e37'79b9'7f4a'7c15) *
                       (ip.v6.word(0) * 2 + 0xbf58'476d'1ce4'e5b9);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

const ServiceTable::View& ServiceTable::view_of(uint64_t hash) const noexcept {
  return views_[hash >> 32 & (views_.size() - 1)];  // slots are chosen by the lower bits
}

ServiceTable::Hit ServiceTable::find(const IpAddress& ip, uint8_t protocol, uint16_t port) const noexcept {
  const uint64_t hash = hash_of(ip);
  const View view = view_of(hash);
  for (uint64_t i = hash & view.mask; view.slots[i].count != 0; i = (i + 1) & view.mask)
    if (view.slots[i].ip == ip) return {true, view.slots[i].find(port_key(protocol, port))};
  return {};
}

std::shared_ptr<const ServiceTable> ServiceTable::with(std::span<const Change> changes,
                                                       std::shared_ptr<const EndpointFilter> filter) const {
  const auto next = std::make_shared<ServiceTable>(*this);
  next->filter_ = std::move(filter);
  for (const Change& change : changes) {
    const Frontend& f = change.frontend;
    const bool was_there = find(f.ip, static_cast<uint8_t>(f.protocol), f.port).service != nullptr;
    next->size_ += static_cast<size_t>(change.service != nullptr) - static_cast<size_t>(was_there);
  }
  next->replace(changes);
  next->follow_vips(*this, changes);
  return next;
}

namespace {

// `entries` and `changes` sorted by frontend.
template <typename Entry, typename Changes>
std::vector<Entry> merged(const std::vector<Entry>& entries, const Changes& changes) {
  std::vector<Entry> all;
  all.reserve(entries.size() + changes.size());
  auto entry = entries.begin();
  for (const ServiceTable::Change* change : changes) {
    while (entry != entries.end() && entry->frontend < change->frontend) all.push_back(*entry++);
    if (entry != entries.end() && entry->frontend == change->frontend) ++entry;
    if (change->service) all.push_back({change->frontend, change->service});
  }
  all.insert(all.end(), entry, entries.end());
  return all;
}

}  // namespace

// Only the shards of what changes are made anew, unless there are too few or too many by now.
void ServiceTable::replace(std::span<const Change> changes) {
  std::vector<const Change*> sorted;
  sorted.reserve(changes.size());
  for (const Change& change : changes) sorted.push_back(&change);
  const auto by_frontend = [](const Change* a, const Change* b) { return a->frontend < b->frontend; };
  if (size_ > views_.size() * kFrontendsOfShard * 2 ||
      (views_.size() > kShardsOfPage && size_ < views_.size() * kFrontendsOfShard / 4)) {
    std::sort(sorted.begin(), sorted.end(), by_frontend);
    build(merged(all_entries(), sorted));
    return;
  }
  const auto shard_of = [this](const Change* change) {
    return static_cast<size_t>(&view_of(hash_of(change->frontend.ip)) - views_.data());
  };
  std::sort(sorted.begin(), sorted.end(), [&](const Change* a, const Change* b) {
    const size_t of_a = shard_of(a), of_b = shard_of(b);
    return of_a != of_b ? of_a < of_b : by_frontend(a, b);
  });
  for (auto begin = sorted.begin(); begin != sorted.end();) {
    const size_t shard = shard_of(*begin);
    const auto end = std::find_if(begin, sorted.end(), [&](const Change* c) { return shard_of(c) != shard; });
    const auto& before = pages_[shard / kShardsOfPage]->shards[shard % kShardsOfPage];
    adopt(shard, std::make_unique<const Shard>(merged(before->entries(), std::span(begin, end))));
    begin = end;
  }
}

void ServiceTable::adopt(size_t shard, std::unique_ptr<const Shard> made) {
  std::shared_ptr<const Page>& page = pages_[shard / kShardsOfPage];
  // A page that only this table has was made by it a moment ago.
  const auto own =
      page.use_count() == 1 ? std::const_pointer_cast<Page>(page) : std::make_shared<Page>(*page);
  views_[shard] = made->view();
  own->shards[shard % kShardsOfPage] = std::move(made);
  page = own;
}

std::vector<ServiceTable::Entry> ServiceTable::all_entries() const {
  std::vector<Entry> all;
  for (const auto& page : pages_)
    for (const auto& shard : page->shards)
      all.insert(all.end(), shard->entries().begin(), shard->entries().end());
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.frontend < b.frontend; });
  return all;
}

// `entries` by their frontends.
void ServiceTable::build(std::vector<Entry> entries) {
  views_.assign(std::bit_ceil(std::max(entries.size() / kFrontendsOfShard, kShardsOfPage)), View{});
  pages_.clear();
  std::vector<std::vector<Entry>> parts(views_.size());
  for (Entry& entry : entries) {
    const View& view = view_of(hash_of(entry.frontend.ip));
    parts[static_cast<size_t>(&view - views_.data())].push_back(std::move(entry));
  }
  for (size_t first = 0; first < parts.size(); first += kShardsOfPage) {
    const auto page = std::make_shared<Page>();
    for (size_t i = 0; i < kShardsOfPage; ++i) {
      page->shards[i] = std::make_shared<const Shard>(std::move(parts[first + i]));
      views_[first + i] = page->shards[i]->view();
    }
    pages_.push_back(page);
  }
}

// Addresses that went stay in the filter until it is made anew.
void ServiceTable::follow_vips(const ServiceTable& before, std::span<const Change> changes) {
  size_t added = 0;
  for (const Change& change : changes)
    added += change.service && !before.may_be_vip(change.frontend.ip) ? 1 : 0;
  if (vips_added_ + added <= vips_->capacity()) {
    for (const Change& change : changes)
      if (change.service) vips_added_ += vips_->add(change.frontend.ip) ? 1 : 0;
    return;
  }
  vips_ = std::make_shared<EndpointFilter>(2 * size_);
  vips_added_ = 0;
  for (const auto& page : pages_)
    for (const auto& shard : page->shards)
      for (const Entry& entry : shard->entries()) vips_added_ += vips_->add(entry.frontend.ip) ? 1 : 0;
}

size_t ServiceTable::memory_bytes() const {
  size_t bytes = sizeof *this + views_.capacity() * sizeof(View) + pages_.size() * sizeof(Page);
  for (const auto& page : pages_)
    for (const auto& shard : page->shards) bytes += shard->memory_bytes();
  return bytes + filter_->memory_bytes() + vips_->memory_bytes();
}

}  // namespace podswitch
