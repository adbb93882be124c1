// SPDX-License-Identifier: Apache-2.0
// The functions that a test program's linker puts in the place of DPDK's: meson.build lists them as --wrap.
// Without a model they are DPDK's own.
#include <rte_ethdev.h>

#include "tests/support/flow_model.h"

using podswitch::test::FlowModel;

extern "C" {

int __real_rte_flow_validate(uint16_t, const rte_flow_attr*, const rte_flow_item*, const rte_flow_action*,
                             rte_flow_error*);
rte_flow* __real_rte_flow_create(uint16_t, const rte_flow_attr*, const rte_flow_item*, const rte_flow_action*,
                                 rte_flow_error*);
int __real_rte_flow_destroy(uint16_t, rte_flow*, rte_flow_error*);
int __real_rte_flow_flush(uint16_t, rte_flow_error*);
int __real_rte_flow_query(uint16_t, rte_flow*, const rte_flow_action*, void*, rte_flow_error*);
int __real_rte_eth_dev_udp_tunnel_port_add(uint16_t, rte_eth_udp_tunnel*);
int __real_rte_eth_dev_udp_tunnel_port_delete(uint16_t, rte_eth_udp_tunnel*);

int __wrap_rte_flow_validate(uint16_t port, const rte_flow_attr* attr, const rte_flow_item* pattern,
                             const rte_flow_action* actions, rte_flow_error* error) {
  FlowModel* model = FlowModel::current();
  return model != nullptr ? model->validate(attr, pattern, actions, error)
                          : __real_rte_flow_validate(port, attr, pattern, actions, error);
}

rte_flow* __wrap_rte_flow_create(uint16_t port, const rte_flow_attr* attr, const rte_flow_item* pattern,
                                 const rte_flow_action* actions, rte_flow_error* error) {
  FlowModel* model = FlowModel::current();
  return model != nullptr ? model->create(attr, pattern, actions, error)
                          : __real_rte_flow_create(port, attr, pattern, actions, error);
}

int __wrap_rte_flow_destroy(uint16_t port, rte_flow* flow, rte_flow_error* error) {
  FlowModel* model = FlowModel::current();
  return model != nullptr ? model->destroy(flow, error) : __real_rte_flow_destroy(port, flow, error);
}

int __wrap_rte_flow_flush(uint16_t port, rte_flow_error* error) {
  FlowModel* model = FlowModel::current();
  return model != nullptr ? model->flush(error) : __real_rte_flow_flush(port, error);
}

int __wrap_rte_flow_query(uint16_t port, rte_flow* flow, const rte_flow_action* action, void* data,
                          rte_flow_error* error) {
  FlowModel* model = FlowModel::current();
  return model != nullptr ? model->query(flow, action, data, error)
                          : __real_rte_flow_query(port, flow, action, data, error);
}

int __wrap_rte_eth_dev_udp_tunnel_port_add(uint16_t port, rte_eth_udp_tunnel* tunnel) {
  FlowModel* model = FlowModel::current();
  return model != nullptr
             ? model->set_tunnel_port(tunnel->udp_port, tunnel->prot_type == RTE_ETH_TUNNEL_TYPE_VXLAN, true)
             : __real_rte_eth_dev_udp_tunnel_port_add(port, tunnel);
}

int __wrap_rte_eth_dev_udp_tunnel_port_delete(uint16_t port, rte_eth_udp_tunnel* tunnel) {
  FlowModel* model = FlowModel::current();
  return model != nullptr
             ? model->set_tunnel_port(tunnel->udp_port, tunnel->prot_type == RTE_ETH_TUNNEL_TYPE_VXLAN, false)
             : __real_rte_eth_dev_udp_tunnel_port_delete(port, tunnel);
}

}  // extern "C"
