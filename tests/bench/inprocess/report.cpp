// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/bench/inprocess/run.h"

namespace podswitch::bench {
namespace {

std::vector<double> ratios(const std::vector<Round>& rounds) {
  std::vector<double> all;
  for (const Round& round : rounds) all.push_back(round.ratio());
  return all;
}

// What sharing a switch costs beside what sharing the machine does.
std::vector<double> sharing(const Result& result) {
  std::vector<double> all;
  for (size_t i = 0; i < result.one_switch.size(); ++i)
    all.push_back(result.one_switch[i].ratio() / result.two_switches[i].ratio());
  return all;
}

Estimate cycles(const std::vector<Round>& rounds, std::vector<double> Round::*which) {
  std::vector<double> all;
  for (const Round& round : rounds) all.push_back(((round.*which)[0] + (round.*which)[1]) / 2);
  return estimate(all);
}

double off_core(const Result& result) {
  std::vector<double> all;
  for (const auto* rounds : {&result.one_switch, &result.two_switches})
    for (const Round& round : *rounds) all.push_back(round.off_core);
  return median(all);
}

nlohmann::json to_json(const Estimate& value) {
  return {{"median", value.median}, {"low", value.low}, {"high", value.high}};
}

nlohmann::json to_json(const std::vector<Round>& rounds) {
  nlohmann::json made{{"cycles_1_worker", to_json(cycles(rounds, &Round::alone))},
                      {"cycles_2_workers", to_json(cycles(rounds, &Round::together))},
                      {"ratio", to_json(estimate(ratios(rounds)))}};
  for (const Round& round : rounds)
    made["rounds"].push_back({{"alone", round.alone}, {"together", round.together}});
  return made;
}

void print_row(std::string_view name, const std::vector<Round>& rounds) {
  const Estimate alone = cycles(rounds, &Round::alone), together = cycles(rounds, &Round::together),
                 ratio = estimate(ratios(rounds));
  fmt::print("{:<14} {:>8.1f} {:>9.1f}   {:.3f} ({:.3f} to {:.3f})\n", name, alone.median, together.median,
             ratio.median, ratio.low, ratio.high);
}

}  // namespace

void print_table(const Options& options, const Result& result) {
  fmt::print(
      "busy cycles per packet and worker; {}-byte frames, {} flows and {} MACs per source, egress {},\n"
      "cores {} and {}, {}; medians of {} rounds of {} s, ratio with its 95 % bootstrap interval\n\n",
      kFrameBytes, options.flows, options.macs, to_string(options.egress), options.cores[0], options.cores[1],
      result.hugepages ? "hugepages" : "no hugepages", options.rounds, options.seconds);
  fmt::print("{:<14} {:>8} {:>9}   {}\n", "", "1 worker", "2 workers", "ratio");
  print_row("one switch", result.one_switch);
  print_row("two switches", result.two_switches);
  const Estimate share = estimate(sharing(result));
  fmt::print("{:<14} {:>8} {:>9}   {:.3f} ({:.3f} to {:.3f})\n", "sharing costs", "", "", share.median,
             share.low, share.high);
  fmt::print("\nkept off a core: {:.2f} % of the time\n", off_core(result) * 100);
}

void write_json(const Options& options, const Result& result) {
  const nlohmann::json all{{"frame_bytes", kFrameBytes},
                           {"flows", options.flows},
                           {"macs", options.macs},
                           {"egress", to_string(options.egress)},
                           {"cores", options.cores},
                           {"hugepages", result.hugepages},
                           {"seconds", options.seconds},
                           {"one_switch", to_json(result.one_switch)},
                           {"two_switches", to_json(result.two_switches)},
                           {"sharing", to_json(estimate(sharing(result)))},
                           {"off_core_share", off_core(result)}};
  std::ofstream file(options.json);
  file << all.dump(1) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + options.json);
}

}  // namespace podswitch::bench
