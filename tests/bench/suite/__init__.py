# SPDX-License-Identifier: Apache-2.0
"""The bench suite: switches side by side on one machine, under traffic from tests/bench/bench-generator."""
