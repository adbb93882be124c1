// SPDX-License-Identifier: Apache-2.0
#include "lb/service_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace podswitch {
namespace {

IpAddress vip(uint32_t n) {
  return IpAddress(Ipv4Address{{10, 96, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)}});
}
std::shared_ptr<const Service> service(ServiceId id) {
  return std::make_shared<const Service>(Service{id, nullptr, {}});
}
std::shared_ptr<const EndpointFilter> no_endpoints() {
  return std::make_shared<const EndpointFilter>(0);
}
constexpr auto kTcp = static_cast<uint8_t>(Protocol::Tcp);

TEST(ServiceTable, AnEmptyOneFindsNothing) {
  const ServiceTable table;
  EXPECT_TRUE(table.empty());
  EXPECT_FALSE(table.may_be_vip(vip(1)));
  EXPECT_FALSE(table.find(vip(1), kTcp, 80).is_vip);
}

TEST(ServiceTable, TellsAWrongPortFromAWrongAddress) {
  const auto table = ServiceTable{}.with(
      std::vector<ServiceTable::Change>{{{vip(1), 80, Protocol::Tcp}, service(7)},
                                        {{*IpAddress::parse("fd00:96::1"), 80, Protocol::Sctp}, service(8)}},
      no_endpoints());
  EXPECT_EQ(table->find(vip(1), kTcp, 80).service->id, 7u);
  EXPECT_EQ(table->find(*IpAddress::parse("fd00:96::1"), 132, 80).service->id, 8u);
  EXPECT_TRUE(table->may_be_vip(vip(1)));
  for (const auto& [protocol, port] :
       std::vector<std::pair<uint8_t, uint16_t>>{{6, 81}, {17, 80}, {1, 0}, {0, 0}}) {
    EXPECT_TRUE(table->find(vip(1), protocol, port).is_vip);
    EXPECT_EQ(table->find(vip(1), protocol, port).service, nullptr);
  }
  EXPECT_FALSE(table->find(vip(2), kTcp, 80).is_vip);
}

TEST(ServiceTable, FindsEachOfManyPortsOfOneAddress) {
  std::vector<ServiceTable::Change> changes;
  for (uint16_t port = 65535; port > 60000; --port)
    changes.push_back({{vip(1), port, port % 2 == 0 ? Protocol::Tcp : Protocol::Udp}, service(port)});
  const auto table = ServiceTable{}.with(changes, no_endpoints());
  for (const auto& change : changes)
    EXPECT_EQ(
        table->find(vip(1), static_cast<uint8_t>(change.frontend.protocol), change.frontend.port).service,
        change.service.get());
  EXPECT_EQ(table->find(vip(1), kTcp, 65535).service, nullptr);
  EXPECT_EQ(table->find(vip(1), kTcp, 1).service, nullptr);
}

TEST(ServiceTable, AnOlderOneStaysAsItWas) {
  const Frontend frontend{vip(1), 80, Protocol::Tcp};
  const auto first =
      ServiceTable{}.with(std::vector<ServiceTable::Change>{{frontend, service(1)}}, no_endpoints());
  const auto second = first->with(std::vector<ServiceTable::Change>{{frontend, service(2)}}, no_endpoints());
  const auto third = second->with(std::vector<ServiceTable::Change>{{frontend, nullptr}}, no_endpoints());
  EXPECT_EQ(first->find(vip(1), kTcp, 80).service->id, 1u);
  EXPECT_EQ(second->find(vip(1), kTcp, 80).service->id, 2u);
  EXPECT_FALSE(third->find(vip(1), kTcp, 80).is_vip);
  EXPECT_EQ(third->size(), 0u);
}

// Grows to thousands of frontends and shrinks again, in changes of one and of many.
TEST(ServiceTable, AgreesWithAMapThroughRandomChanges) {
  std::mt19937 numbers(5);
  std::map<Frontend, std::shared_ptr<const Service>> model;
  std::shared_ptr<const ServiceTable> table = std::make_shared<const ServiceTable>();
  for (unsigned round = 0; round < 300; ++round) {
    std::map<Frontend, std::shared_ptr<const Service>> changes;
    const size_t count = round % 10 == 0 ? 1500 : 1 + numbers() % 20;
    for (size_t i = 0; i < count; ++i) {
      const Frontend frontend{vip(numbers() % 3000), static_cast<uint16_t>(80 + numbers() % 6),
                              numbers() % 2 == 0 ? Protocol::Tcp : Protocol::Udp};
      const bool goes = numbers() % 10 < (round < 150 ? 3 : 8);
      changes[frontend] = goes ? nullptr : service(static_cast<ServiceId>(numbers()));
    }
    std::vector<ServiceTable::Change> list;
    for (const auto& [frontend, to] : changes) {
      list.push_back({frontend, to});
      if (to)
        model[frontend] = to;
      else
        model.erase(frontend);
    }
    std::shuffle(list.begin(), list.end(), numbers);
    table = table->with(list, no_endpoints());
    ASSERT_EQ(table->size(), model.size());
    if (round % 10 != 9) continue;
    std::set<IpAddress> vips;
    for (const auto& [frontend, to] : model) {
      const auto hit = table->find(frontend.ip, static_cast<uint8_t>(frontend.protocol), frontend.port);
      ASSERT_EQ(hit.service, to.get());
      ASSERT_TRUE(table->may_be_vip(frontend.ip));
      vips.insert(frontend.ip);
    }
    for (uint32_t n = 0; n < 3000; ++n)
      ASSERT_EQ(table->find(vip(n), kTcp, 9).is_vip, vips.contains(vip(n))) << n;
  }
}

TEST(ServiceTable, LetsFewOtherAddressesPass) {
  std::vector<ServiceTable::Change> changes;
  for (uint32_t n = 0; n < 10000; ++n) changes.push_back({{vip(n), 80, Protocol::Tcp}, service(n)});
  const auto table = ServiceTable{}.with(changes, no_endpoints());
  size_t passed = 0;
  for (uint32_t n = 10000; n < 60000; ++n) passed += table->may_be_vip(vip(n)) ? 1 : 0;
  EXPECT_LT(passed, 50000 / 20);
}

TEST(EndpointFilter, NeverForgetsAndRarelyErrs) {
  EndpointFilter filter(20000);
  for (uint32_t n = 0; n < 10000; ++n) filter.add(vip(n), Protocol::Tcp, static_cast<uint16_t>(8000 + n % 7));
  EXPECT_FALSE(filter.add(vip(1), Protocol::Tcp, 8001));
  size_t wrong = 0;
  for (uint32_t n = 0; n < 10000; ++n) {
    ASSERT_TRUE(filter.may_contain(vip(n), kTcp, static_cast<uint16_t>(8000 + n % 7)));
    wrong += filter.may_contain(vip(n), 17, static_cast<uint16_t>(8000 + n % 7)) ? 1 : 0;
    wrong += filter.may_contain(vip(n), kTcp, static_cast<uint16_t>(9000 + n % 7)) ? 1 : 0;
    wrong += filter.may_contain(vip(n + 10000), kTcp, static_cast<uint16_t>(8000 + n % 7)) ? 1 : 0;
  }
  EXPECT_LT(wrong, 30000 / 20);
}

}  // namespace
}  // namespace podswitch
