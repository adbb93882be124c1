// SPDX-License-Identifier: Apache-2.0
// Traffic generator of the bench suite: tests/bench/README.md says what it does.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/bench/generator/bench.h"
#include "tests/bench/generator/options.h"
#include "tests/bench/generator/ports.h"

namespace podswitch::bench {
namespace {

using Json = nlohmann::json;

void print(const Json& json) {
  std::cout << json.dump() << std::endl;
}

Json answer(Bench& bench, const std::string& line, const Trial& base) {
  try {
    return bench.run(read_trial(Json::parse(line), base));
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

void serve(Bench& bench, const Trial& base) {
  print({{"ready", true}});
  for (std::string line; std::getline(std::cin, line);) print(answer(bench, line, base));
}

void generate(const Options& options) {
  const Ports ports(options);
  Bench bench(ports);
  if (options.serve)
    serve(bench, options.trial);
  else
    print(bench.run(options.trial));
}

}  // namespace
}  // namespace podswitch::bench

int main(int argc, char** argv) {
  try {
    podswitch::bench::generate(podswitch::bench::parse_options(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-generator: %s\n", error.what());
    return 1;
  }
}
