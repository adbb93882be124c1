// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/port_conflict.h"
#include "pmd/bond_member.h"
#include "pmd/member_status.h"

namespace podswitch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(BondMember, IsADeviceOrAnInterface) {
  EXPECT_TRUE(is_interface_member("eth0"));
  EXPECT_FALSE(is_interface_member("0000:03:00.0"));
  EXPECT_FALSE(is_interface_member("03:00.0,key=value"));
  EXPECT_FALSE(is_interface_member("net_tap0,iface=up0"));
  EXPECT_EQ(member_device("03:00.0,key=value"), "0000:03:00.0");
  EXPECT_EQ(member_device("net_tap0,iface=up0"), "net_tap0");
  EXPECT_EQ(member_device("eth0"), "eth0");
}

TEST(BondMember, ThatIsMissingIsNamed) {
  EXPECT_EQ(why_no_member("no-such-if"), "there is no interface no-such-if");
  EXPECT_EQ(why_no_member("ff:1f.7"), "there is no PCI device 0000:ff:1f.7");
  EXPECT_EQ(why_no_member("net_tap0"), "");  // DPDK knows
  EXPECT_EQ(why_no_member("lo"), "");
}

TEST(MemberHint, NamesWhatIsOfNoUse) {
  const MemberStatus a{.name = "a", .state = MemberState::NoLink, .partner = {}};
  const MemberStatus b{.name = "b", .state = MemberState::Standby, .partner = {}};
  const MemberStatus c{.name = "c", .state = MemberState::NoPartner, .partner = {}};
  EXPECT_EQ(member_hint({}), "");
  EXPECT_EQ(member_hint({b}), "");
  EXPECT_EQ(member_hint({a, b, c}), "member a: no link; member c: no partner");
}

PortSpec port(const char* name, PortKind kind) {
  PortSpec spec;
  spec.name = name;
  spec.kind = kind;
  return spec;
}

std::vector<Problem> conflicts(const PortSpec& one, const PortSpec& other) {
  std::vector<Problem> problems;
  find_conflicts(one, other, problems);
  return problems;
}

TEST(BondConflict, AMemberBelongsToOnePort) {
  PortSpec bond = port("bond", PortKind::Bond), twin = port("twin", PortKind::Bond);
  bond.members = {"0000:03:00.0", "eth0"};
  twin.members = {"net_tap0,iface=x", "3:0.0"};
  EXPECT_THAT(conflicts(bond, twin), ElementsAre(Problem{"members", "0000:03:00.0 is port twin's"}));
  twin.members = {"net_tap0,iface=x", "net_tap1"};
  EXPECT_THAT(conflicts(bond, twin), IsEmpty());

  PortSpec nic = port("nic", PortKind::Ethdev);
  nic.device = "0000:03:00.0,key=value";
  EXPECT_THAT(conflicts(nic, bond), ElementsAre(Problem{"device", "0000:03:00.0 is port bond's"}));
  PortSpec veth = port("veth", PortKind::AfPacket);
  veth.ifname = "eth0";
  EXPECT_THAT(conflicts(bond, veth), ElementsAre(Problem{"members", "eth0 is port veth's"}));
  veth.netns = "/run/netns/other";
  EXPECT_THAT(conflicts(bond, veth), IsEmpty());
}

}  // namespace
}  // namespace podswitch
