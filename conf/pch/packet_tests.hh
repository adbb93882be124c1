// SPDX-License-Identifier: Apache-2.0
// libraries.hh, for tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/pch/libraries.hh"
