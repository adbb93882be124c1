// SPDX-License-Identifier: Apache-2.0
// Ports on bonds of net_null devices: what is opened, refused, and left behind. How members fail and return
// is for the system tests, with devices whose links do.
#include "pmd/error.h"
#include "tests/port/port_fixture.h"

namespace podswitch {
namespace {

class BondPortTest : public PortTest {
 protected:
  std::unique_ptr<Port> open(const PortSpec& spec, OpenPolicy policy = OpenPolicy::Strict) {
    return open_bond(next_id_++, spec, host_, policy);
  }
  static PortSpec bond_spec(BondMode mode) {
    PortSpec spec;
    spec.name = "bond";
    spec.kind = PortKind::Bond;
    spec.bond_mode = mode;
    spec.members = {"net_null20,size=100", "net_null21,size=200"};
    return spec;
  }
  static std::vector<MemberState> states(const Port& port) {
    std::vector<MemberState> states;
    for (const MemberStatus& member : port.members()) states.push_back(member.state);
    return states;
  }
  PortId next_id_ = 0;
};

TEST_F(BondPortTest, ActiveBackupUsesTheFirstMember) {
  PortSpec spec = bond_spec(BondMode::ActiveBackup);
  spec.queues = 2;
  const auto port = open(spec);
  EXPECT_TRUE(eventually([&] { return port->is_up(); })) << port->state().reason;
  EXPECT_EQ(states(*port), (std::vector{MemberState::Active, MemberState::Standby}));
  EXPECT_EQ(port->members()[1].name, spec.members[1]);
  for (const uint16_t queue : {0, 1}) {
    EXPECT_EQ(drain(*port, queue), kBurstSize);
    EXPECT_EQ(last_length_, 100U);
    EXPECT_TRUE(send_one(*port, make_packet(60), queue));
  }
  EXPECT_FALSE(port->wake_source(0).is_polled_while_down);
}

TEST_F(BondPortTest, LacpWaitsForAPartnerAndIsPolledMeanwhile) {
  const auto port = open(bond_spec(BondMode::Lacp));
  EXPECT_TRUE(gets_reason(*port, "no LACP partner on any member"));
  EXPECT_EQ(states(*port), (std::vector{MemberState::NoPartner, MemberState::NoPartner}));
  EXPECT_TRUE(port->wake_source(0).is_polled_while_down);
  // What comes over a member that does not collect is dropped.
  for (int i = 0; i < 100; ++i) EXPECT_EQ(drain(*port), 0);
  EXPECT_FALSE(send_one(*port, make_packet(60)));
}

TEST_F(BondPortTest, NothingIsLeftWhenItGoes) {
  for (int i = 0; i < 3; ++i)
    for (const BondMode mode : {BondMode::ActiveBackup, BondMode::Lacp}) {
      {
        const auto port = open(bond_spec(mode));
        EXPECT_EQ(rte_eth_dev_count_total(), 3);
        drain(*port);
      }
      EXPECT_EQ(rte_eth_dev_count_total(), 0);
    }
}

TEST_F(BondPortTest, RefusalsSayWhyAndLeaveNothing) {
  const auto error_of = [&](const std::string& member) -> std::string {
    PortSpec spec = bond_spec(BondMode::Lacp);
    spec.members[1] = member;
    try {
      open(spec);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of("ff:1f.7"), "members: there is no PCI device 0000:ff:1f.7");
  EXPECT_NE(error_of("net_nonsense0").find("members: DPDK cannot open"), std::string::npos);
  EXPECT_NE(error_of("lo").find("members: lo is an interface"), std::string::npos);
  PortSpec jumbo = bond_spec(BondMode::ActiveBackup);
  jumbo.mtu = 9000;
  EXPECT_THROW(open(jumbo), Error);  // one buffer holds less, and there are no chains
  EXPECT_EQ(rte_eth_dev_count_total(), 0);
}

TEST_F(BondPortTest, AMissingMemberLeavesAPatientPortDown) {
  PortSpec spec = bond_spec(BondMode::ActiveBackup);
  spec.members[0] = "0000:ff:1f.7";
  const auto port = open(spec, OpenPolicy::Patient);
  EXPECT_TRUE(gets_reason(*port, "there is no PCI device"));
  EXPECT_TRUE(port->members().empty());
}

}  // namespace
}  // namespace podswitch
