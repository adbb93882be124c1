// SPDX-License-Identifier: Apache-2.0
// Services and EndpointSlices in transactions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/objects/object.h"
#include "ctl/objects/object_name.h"
#include "ctl/transaction.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Mode = CommitOptions::Mode;

json service(const std::string& name, const std::string& ip, int port = 80) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", name}}},
          {"spec", {{"clusterIPs", json::array({ip})}, {"ports", json::array({{{"port", port}}})}}}};
}

json slice(const std::string& name, const std::string& service, const std::string& ip = "10.244.0.1") {
  json object{{"apiVersion", "discovery.k8s.io/v1"},
              {"kind", "EndpointSlice"},
              {"metadata", {{"name", name}}},
              {"addressType", "IPv4"},
              {"endpoints", json::array({{{"addresses", json::array({ip})}}})},
              {"ports", json::array({{{"name", ""}, {"port", 8080}}})}};
  if (!service.empty()) object["metadata"]["labels"]["kubernetes.io/service-name"] = service;
  return object;
}

// What transactions leave behind, as the journal and a restart would bring it back.
class ServiceTransaction : public testing::Test {
 protected:
  std::vector<std::string> run(const std::vector<json>& objects, const CommitOptions& options) {
    std::vector<TakenObject> taken;
    for (const json& object : objects) taken.push_back(read_object(object));
    Transaction transaction(desired_, options);
    for (const TakenObject& object : taken)
      std::visit([&](const auto& value) { transaction.take(value); }, object);
    transaction.finish(stored_, {});
    ignored_ = transaction.ignored();
    details_.clear();
    for (const Transaction::Row& row : transaction.rows())
      details_.insert(details_.end(), row.details.begin(), row.details.end());
    std::vector<std::string> rows;
    for (const Transaction::Row& row : transaction.rows())
      rows.push_back(std::string(to_string(row.change)) + " " + row.name);
    if (options.mode == Mode::Diff) return rows;
    for (const Edit& edit : transaction.draft().edits()) apply_edit(stored_, edit);
    desired_ = transaction.draft().take();
    // The journal has the same, and what is known of all of it is what a start would find out.
    EXPECT_TRUE(same_services(desired_.state.services, stored_.services));
    const ServiceIndex anew = index_of(stored_.services);
    EXPECT_EQ(anew.slices(), desired_.service_index.slices());
    EXPECT_EQ(anew.services(), desired_.service_index.services());
    EXPECT_EQ(anew.service_ports(), desired_.service_index.service_ports());
    EXPECT_EQ(anew.endpoints(), desired_.service_index.endpoints());
    for (const auto& [name, entry] : stored_.services) {
      if (!entry.spec) continue;
      for (const IpAddress& ip : entry.spec->cluster_ips)
        EXPECT_EQ(*desired_.service_index.owner_of(ip), name) << ip.to_string();
    }
    return rows;
  }
  std::vector<std::string> apply(const std::vector<json>& objects, std::vector<std::string> prune = {}) {
    return run(objects, {Mode::Apply, std::move(prune), true});
  }
  std::string refused(const std::vector<json>& objects, std::vector<std::string> prune = {}) {
    try {
      apply(objects, std::move(prune));
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  // "a: web-1,web-2", one for each entry of the map; with '!' where there is no Service.
  std::vector<std::string> entries() const {
    std::vector<std::string> texts;
    for (const auto& [name, entry] : desired_.state.services) {
      std::string text = name.name + (entry.spec ? ":" : "!");
      for (const auto& one : entry.slices) text += " " + one->name.name;
      texts.push_back(text);
    }
    return texts;
  }

  Desired desired_;
  StoredState stored_;
  size_t ignored_ = 0;
  std::vector<std::string> details_;
};

TEST_F(ServiceTransaction, TellsWhatChanges) {
  EXPECT_THAT(apply({slice("a-2", "a"), slice("a-1", "a"), service("a", "10.96.0.1"), slice("b-1", "b")}),
              ElementsAre("added default/a-2", "added default/a-1", "added default/a", "added default/b-1"));
  EXPECT_THAT(entries(), ElementsAre("a: a-1 a-2", "b! b-1")) << "in whatever order they come";
  EXPECT_THAT(apply({slice("a-2", "a"), service("a", "10.96.0.1")}), IsEmpty());
  EXPECT_THAT(apply({slice("a-2", "a", "10.244.0.9"), service("a", "10.96.0.1", 81)}),
              ElementsAre("changed default/a-2", "changed default/a"));
  EXPECT_THAT(entries(), ElementsAre("a: a-1 a-2", "b! b-1"));
}

TEST_F(ServiceTransaction, DiffSaysWhat) {
  apply({service("a", "10.96.0.1"), slice("a-1", "a")});
  EXPECT_THAT(run({service("a", "10.96.0.2"), slice("a-1", "a", "10.244.0.2")}, {Mode::Diff, {}, false}),
              ElementsAre("changed default/a", "changed default/a-1"));
  EXPECT_THAT(details_, ElementsAre("addresses are 10.96.0.1, asked for 10.96.0.2", "10.244.0.1 goes",
                                    "10.244.0.2 comes, ready"));
}

TEST_F(ServiceTransaction, FollowsASliceToAnotherService) {
  apply({service("a", "10.96.0.1"), service("b", "10.96.0.2"), slice("x", "a")});
  EXPECT_THAT(apply({slice("x", "b")}), ElementsAre("changed default/x"));
  EXPECT_THAT(entries(), ElementsAre("a:", "b: x"));
  EXPECT_THAT(apply({slice("x", "c")}), ElementsAre("changed default/x"));
  EXPECT_THAT(entries(), ElementsAre("a:", "b:", "c! x"));
  EXPECT_THAT(apply({slice("x", "")}), ElementsAre("deleted default/x"));
  EXPECT_EQ(ignored_, 1U);
  EXPECT_THAT(entries(), ElementsAre("a:", "b:"));
  EXPECT_THAT(apply({slice("x", "")}), IsEmpty());
}

TEST_F(ServiceTransaction, PrunesEachKindByItself) {
  apply({service("a", "10.96.0.1"), service("b", "10.96.0.2"), slice("a-1", "a"), slice("b-1", "b")});
  EXPECT_THAT(apply({service("a", "10.96.0.1")}, {"Service"}), ElementsAre("deleted default/b"));
  EXPECT_THAT(entries(), ElementsAre("a: a-1", "b! b-1"));
  EXPECT_THAT(apply({slice("a-1", "a")}, {"EndpointSlice"}), ElementsAre("deleted default/b-1"));
  EXPECT_THAT(apply({}, {"Service", "EndpointSlice"}),
              ElementsAre("deleted default/a", "deleted default/a-1"));
  EXPECT_THAT(entries(), IsEmpty());
  EXPECT_THAT(refused({}, {"Servce"}),
              HasSubstr("prune[0]: 'Servce' is none of Node, Port, Service, EndpointSlice; "
                        "did you mean 'Service'?"));
}

TEST_F(ServiceTransaction, RefusesAClusterIpThatIsAnothers) {
  apply({service("a", "10.96.0.1")});
  EXPECT_EQ(refused({slice("x", "b"), service("b", "10.96.0.1")}),
            "objects[1].spec.clusterIP: 10.96.0.1 is the cluster IP of service default/a: each service "
            "has its own");
  EXPECT_THAT(refused({service("c", "10.96.0.3"), service("d", "10.96.0.3")}),
              HasSubstr("objects[1].spec.clusterIP"));
  EXPECT_THAT(entries(), ElementsAre("a:"));
}

TEST_F(ServiceTransaction, LetsClusterIpsChangeHands) {
  apply({service("a", "10.96.0.1"), service("b", "10.96.0.2")});
  EXPECT_THAT(apply({service("a", "10.96.0.2"), service("b", "10.96.0.1")}),
              ElementsAre("changed default/a", "changed default/b"));
  EXPECT_THAT(apply({service("c", "10.96.0.1")}, {"Service"}),
              ElementsAre("added default/c", "deleted default/a", "deleted default/b"));
  EXPECT_THAT(refused({service("d", "10.96.0.1")}), HasSubstr("service default/c"));
}

TEST_F(ServiceTransaction, RefusesWhatComesTwice) {
  EXPECT_EQ(refused({service("a", "10.96.0.1"), service("a", "10.96.0.1")}),
            "objects[1].metadata.name: Service default/a comes twice");
  EXPECT_EQ(refused({slice("a", "a"), slice("a", "b")}),
            "objects[1].metadata.name: EndpointSlice default/a comes twice");
  EXPECT_THAT(entries(), IsEmpty());
}

TEST_F(ServiceTransaction, AddsOnlyPorts) {
  try {
    run({service("a", "10.96.0.1")}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("objects[0].kind: 'Service': only objects of kind 'Port' are added"));
  }
}

TEST_F(ServiceTransaction, ACommandDeletesWhatIsThere) {
  apply({service("a", "10.96.0.1"), slice("a-1", "a")});
  Draft draft(desired_);
  EXPECT_THROW(draft.remove_service({"default", "a-1"}), Error);
  EXPECT_THROW(draft.remove_slice({"other", "a-1"}), Error);
  draft.remove_service({"default", "a"});
  draft.remove_slice({"default", "a-1"});
  for (const Edit& edit : draft.edits()) apply_edit(stored_, edit);
  desired_ = draft.take();
  EXPECT_THAT(entries(), IsEmpty());
  EXPECT_TRUE(stored_.services.empty());
  EXPECT_EQ(desired_.service_index.owner_of(*IpAddress::parse("10.96.0.1")), nullptr);
}

TEST(ObjectNames, AreReadAndWritten) {
  EXPECT_EQ(to_string(parse_object_name("a/b.c")), "a/b.c");
  EXPECT_EQ(to_string(parse_object_name("b")), "default/b");
  for (const char* text : {"", "/", "a/", "/b", "a/b/c", "A/b", "a.b/c"})
    EXPECT_THROW(parse_object_name(text), Error) << text;
}

}  // namespace
}  // namespace podswitch
