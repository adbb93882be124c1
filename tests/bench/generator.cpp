// SPDX-License-Identifier: Apache-2.0
// Traffic generator of the benchmarks: one core, two virtio-user ports. Sends 64-byte UDP frames of N
// flows into port 0 as fast as the switch takes them, counts what port 1 gets, prints one JSON line.
// The receiver announces its MAC before and during the run, as a learning switch needs.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "switch/net/address.h"
#include "switch/net/headers.h"

namespace podswitch {
namespace {

namespace po = boost::program_options;

constexpr uint16_t kBurst = 32;
constexpr uint16_t kRing = 1024;

struct Options {
  std::string socket0, socket1, virtio;
  uint32_t flows, frame_bytes;
  unsigned core, warmup_ms, seconds;
};

struct Frame {
  net::EtherHeader ether;
  net::Ipv4Header ip;
  net::UdpHeader udp;
};
static_assert(sizeof(Frame) == 42);

const MacAddress kSender = *MacAddress::parse("02:00:00:00:00:01");
const MacAddress kReceiver = *MacAddress::parse("02:00:00:00:00:02");

int check(int rc, const char* what) {
  if (rc < 0) throw std::runtime_error(std::string(what) + ": " + rte_strerror(-rc));
  return rc;
}

uint16_t ip_checksum(const net::Ipv4Header& ip) {
  uint16_t words[10];
  std::memcpy(words, &ip, sizeof words);
  uint32_t sum = 0;
  for (const uint16_t word : words) sum += word;
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~(sum + (sum >> 16)));
}

// Flow i differs in destination address and source port, as testpmd's flowgen and real clients do.
std::vector<Frame> make_frames(uint32_t flows, uint32_t frame_bytes) {
  std::vector<Frame> frames(flows);
  for (uint32_t i = 0; i < flows; ++i) {
    Frame& frame = frames[i];
    frame.ether = {kReceiver, kSender, be16_t(net::kEtherTypeIpv4)};
    frame.ip.version_ihl = 0x45;
    frame.ip.total_length = be16_t(static_cast<uint16_t>(frame_bytes - sizeof(net::EtherHeader)));
    frame.ip.ttl = 64;
    frame.ip.protocol = net::kProtoUdp;
    frame.ip.source = *Ipv4Address::parse("10.0.0.1");
    frame.ip.destination = {
        {11, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}};
    frame.ip.checksum = be16_t::from_raw(ip_checksum(frame.ip));
    frame.udp = {
        be16_t(static_cast<uint16_t>(1024 + i % 60000)), be16_t(9),
        be16_t(static_cast<uint16_t>(frame_bytes - sizeof(net::EtherHeader) - sizeof(net::Ipv4Header))),
        be16_t()};
  }
  return frames;
}

void start_port(uint16_t port, rte_mempool& pool) {
  const rte_eth_conf config{};
  check(rte_eth_dev_configure(port, 1, 1, &config), "configure");
  check(rte_eth_rx_queue_setup(port, 0, kRing, SOCKET_ID_ANY, nullptr, &pool), "rx queue");
  check(rte_eth_tx_queue_setup(port, 0, kRing, SOCKET_ID_ANY, nullptr), "tx queue");
  check(rte_eth_dev_start(port), "start");
}

void wait_for_link(uint16_t port) {
  for (int i = 0; i < 200; ++i) {
    rte_eth_link link{};
    check(rte_eth_link_get_nowait(port, &link), "link");
    if (link.link_status == RTE_ETH_LINK_UP) return;
    rte_delay_us_sleep(50'000);
  }
  throw std::runtime_error("the switch did not connect within 10 s");
}

class Generator {
 public:
  Generator(const Options& options, rte_mempool& pool)
      : options_(options), pool_(pool), frames_(make_frames(options.flows, options.frame_bytes)) {}

  struct Result {
    uint64_t sent = 0, received = 0, refused = 0, cycles = 0;
  };

  Result run(uint64_t cycles) {
    Result result;
    const uint64_t start = rte_rdtsc();
    uint64_t next_announce = 0;
    while (rte_rdtsc() - start < cycles) {
      if (const uint64_t now = rte_rdtsc(); now >= next_announce) {
        announce();
        next_announce = now + rte_get_tsc_hz() / 10;
      }
      send(result);
      for (int i = 0; i < 2; ++i) result.received += drain(1);
      drain(0);
    }
    result.cycles = rte_rdtsc() - start;
    return result;
  }

 private:
  void announce() {
    rte_mbuf* packet = rte_pktmbuf_alloc(&pool_);
    if (packet == nullptr) return;
    packet->data_len = 60;
    packet->pkt_len = 60;
    auto* frame = rte_pktmbuf_mtod(packet, Frame*);
    std::memset(static_cast<void*>(frame), 0, 60);
    frame->ether = {MacAddress{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, kReceiver,
                    be16_t(0x88b5)};  // experimental
    if (rte_eth_tx_burst(1, 0, &packet, 1) == 0) rte_pktmbuf_free(packet);
  }

  void send(Result& result) {
    rte_mbuf* burst[kBurst];
    if (rte_pktmbuf_alloc_bulk(&pool_, burst, kBurst) != 0) return;
    for (rte_mbuf* packet : burst) {
      packet->data_len = static_cast<uint16_t>(options_.frame_bytes);
      packet->pkt_len = options_.frame_bytes;
      std::memcpy(rte_pktmbuf_mtod(packet, void*), &frames_[flow_], sizeof(Frame));
      flow_ = flow_ + 1 == frames_.size() ? 0 : flow_ + 1;
    }
    const uint16_t sent = rte_eth_tx_burst(0, 0, burst, kBurst);
    result.sent += sent;
    result.refused += kBurst - sent;
    if (sent < kBurst) rte_pktmbuf_free_bulk(&burst[sent], kBurst - sent);
  }

  uint64_t drain(uint16_t port) {
    rte_mbuf* burst[kBurst];
    const uint16_t count = rte_eth_rx_burst(port, 0, burst, kBurst);
    if (count != 0) rte_pktmbuf_free_bulk(burst, count);
    return count;
  }

  const Options& options_;
  rte_mempool& pool_;
  const std::vector<Frame> frames_;
  size_t flow_ = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  po::options_description description("options");
  auto add = description.add_options();
  add("help", "this text");
  add("socket0", po::value(&o.socket0)->required(), "vhost-user socket to serve, sending port");
  add("socket1", po::value(&o.socket1)->required(), "vhost-user socket to serve, counting port");
  add("virtio", po::value(&o.virtio)->default_value(""),
      "further virtio-user arguments, such as packed_vq=1");
  add("flows", po::value(&o.flows)->default_value(1), "number of flows");
  add("frame-bytes", po::value(&o.frame_bytes)->default_value(60), "frame length without FCS, 60 to 1514");
  add("core", po::value(&o.core)->default_value(0), "CPU to run on");
  add("warmup-ms", po::value(&o.warmup_ms)->default_value(500), "traffic before counting");
  add("seconds", po::value(&o.seconds)->default_value(3), "traffic that counts");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, description), values);
  if (values.count("help") != 0) {
    std::cout << description;
    std::exit(0);
  }
  po::notify(values);
  if (o.flows == 0 || o.frame_bytes < 60 || o.frame_bytes > 1514)
    throw std::runtime_error("flows or frame-bytes out of range");
  return o;
}

void start_eal(const Options& o) {
  const std::string device =
      ",server=1,queue_size=" + std::to_string(kRing) + (o.virtio.empty() ? "" : "," + o.virtio);
  std::vector<std::string> args{"generator",
                                "--in-memory",
                                "--single-file-segments",
                                "--no-pci",
                                "--no-telemetry",
                                "--lcores=0@" + std::to_string(o.core),
                                "--log-level=error",
                                "--vdev=net_virtio_user0,path=" + o.socket0 + device,
                                "--vdev=net_virtio_user1,path=" + o.socket1 + device};
  std::vector<char*> pointers;
  for (std::string& arg : args) pointers.push_back(arg.data());
  check(rte_eal_init(static_cast<int>(pointers.size()), pointers.data()), "EAL");
}

void generate(const Options& options) {
  start_eal(options);
  rte_mempool* pool =
      rte_pktmbuf_pool_create("frames", 16383, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) throw std::runtime_error("no memory for frames");
  for (const uint16_t port : {0, 1}) start_port(port, *pool);
  for (const uint16_t port : {0, 1}) wait_for_link(port);
  Generator generator(options, *pool);
  const uint64_t hz = rte_get_tsc_hz();
  generator.run(hz / 1000 * options.warmup_ms);
  const auto r = generator.run(hz * options.seconds);
  const double seconds = static_cast<double>(r.cycles) / static_cast<double>(hz);
  // Refused frames prove that the switch, not the generator, was the limit.
  std::printf("{\"sent\":%lu,\"received\":%lu,\"refused\":%lu,\"seconds\":%.6f,\"tsc_hz\":%lu}\n", r.sent,
              r.received, r.refused, seconds, hz);
  for (const uint16_t port : {0, 1}) rte_eth_dev_stop(port);
  rte_eal_cleanup();
}

}  // namespace
}  // namespace podswitch

int main(int argc, char** argv) {
  try {
    podswitch::generate(podswitch::parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "generator: %s\n", error.what());
    return 1;
  }
}
