// SPDX-License-Identifier: Apache-2.0
// libraries.hh, for who reads and writes JSON as well.
#include <nlohmann/json.hpp>

#include "conf/pch/libraries.hh"
