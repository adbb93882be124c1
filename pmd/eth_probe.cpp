// SPDX-License-Identifier: Apache-2.0
#include "pmd/eth_probe.h"

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <system_error>

#include "pmd/error.h"

namespace podswitch {
namespace {

int find_port(const std::string& devargs) {
  rte_dev_iterator iterator{};
  int found = -1;
  if (rte_eth_iterator_init(&iterator, devargs.c_str()) != 0) return -1;
  if (const uint16_t id = rte_eth_iterator_next(&iterator); id != RTE_MAX_ETHPORTS) found = id;
  rte_eth_iterator_cleanup(&iterator);
  return found;
}

}  // namespace

uint16_t probe_device(const std::string& devargs, const std::string& option) {
  if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
    throw Error("type", fmt::format("this DPDK serves at most {} ports of kinds af-xdp, memif and ethdev and "
                                    "members of bonds together (RTE_MAX_ETHPORTS), and they are taken",
                                    RTE_MAX_ETHPORTS));
  if (find_port(devargs) >= 0) throw Error(option, fmt::format("{} is already in use", devargs));
  if (const int result = rte_dev_probe(devargs.c_str()); result != 0)
    throw Error(option, fmt::format("DPDK cannot open '{}': {}: the log says more", devargs,
                                    std::generic_category().message(-result)));
  const int found = find_port(devargs);
  if (found < 0) throw Error(option, fmt::format("'{}' is no network device", devargs));
  return static_cast<uint16_t>(found);
}

void close_device(uint16_t id) {
  rte_eth_dev_info info{};
  const bool has_info = rte_eth_dev_info_get(id, &info) == 0;
  rte_eth_dev_close(id);
  if (has_info && info.device != nullptr) rte_dev_remove(info.device);
}

}  // namespace podswitch
