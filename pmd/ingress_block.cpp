// SPDX-License-Identifier: Apache-2.0
#include "pmd/ingress_block.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "pmd/error.h"
#include "pmd/netlink.h"

namespace podswitch {
namespace {

constexpr const char* kChain = "ingress";
constexpr int kPriority = -500;  // before whatever else filters there

nfgenmsg generic_head(uint8_t family, uint16_t resource) {
  return {family, NFNETLINK_V0, htons(resource)};
}

NetlinkMessage edge(uint16_t type) {
  NetlinkMessage message(type, 0);
  message.header(generic_head(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  return message;
}

NetlinkMessage command(uint16_t type, uint16_t flags) {
  NetlinkMessage message(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags);
  message.header(generic_head(NFPROTO_NETDEV, 0));
  return message;
}

NetlinkMessage table(uint16_t type, uint16_t flags) {
  NetlinkMessage message = command(type, flags);
  message.put_text(NFTA_TABLE_NAME, kIngressTable);
  return message;
}

NetlinkMessage dropping_chain(const std::string& ifname) {
  NetlinkMessage message = command(NFT_MSG_NEWCHAIN, NLM_F_ACK | NLM_F_CREATE);
  message.put_text(NFTA_CHAIN_TABLE, kIngressTable);
  message.put_text(NFTA_CHAIN_NAME, kChain);
  const size_t hook = message.begin(NFTA_CHAIN_HOOK | NLA_F_NESTED);
  message.put_value(NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
  message.put_value(NFTA_HOOK_PRIORITY, htonl(static_cast<uint32_t>(kPriority)));
  message.put_text(NFTA_HOOK_DEV, ifname);
  message.end(hook);
  message.put_value(NFTA_CHAIN_POLICY, htonl(NF_DROP));
  message.put_text(NFTA_CHAIN_TYPE, "filter");
  return message;
}

NetlinkAnswer transaction(std::vector<NetlinkMessage> commands) {
  commands.insert(commands.begin(), edge(NFNL_MSG_BATCH_BEGIN));
  commands.push_back(edge(NFNL_MSG_BATCH_END));
  return NetlinkSocket(NETLINK_NETFILTER).ask_all(std::move(commands));
}

}  // namespace

void block_ingress(const std::string& ifname) {
  // New kernels take the name of an interface that is yet to come.
  if (::if_nametoindex(ifname.c_str()) == 0) throw Error("", fmt::format("interface {} is missing", ifname));
  // Made, so that it can be deleted, so that it can be made anew.
  const auto answer =
      transaction({table(NFT_MSG_NEWTABLE, NLM_F_ACK | NLM_F_CREATE), table(NFT_MSG_DELTABLE, NLM_F_ACK),
                   table(NFT_MSG_NEWTABLE, NLM_F_ACK | NLM_F_CREATE), dropping_chain(ifname)});
  if (answer.error != 0)
    throw Error("", fmt::format("keeping the kernel off what arrives on {} (nftables, table netdev {}): {}{}",
                                ifname, kIngressTable, answer.words,
                                answer.error == EOPNOTSUPP || answer.error == ENOENT
                                    ? "; does this kernel have CONFIG_NF_TABLES_NETDEV?"
                                    : ""));
}

bool unblock_ingress() {
  const auto answer = transaction({table(NFT_MSG_DELTABLE, NLM_F_ACK)});
  if (answer.error == ENOENT) return false;
  if (answer.error != 0)
    throw Error("", fmt::format("deleting nftables' table netdev {}: {}", kIngressTable, answer.words));
  return true;
}

bool is_ingress_blocked() {
  return NetlinkSocket(NETLINK_NETFILTER).ask(table(NFT_MSG_GETTABLE, NLM_F_ACK)).error == 0;
}

}  // namespace podswitch
