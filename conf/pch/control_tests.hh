// SPDX-License-Identifier: Apache-2.0
// objects.hh, for tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/pch/objects.hh"
