# SPDX-License-Identifier: Apache-2.0
"""What scenarios are written with. Begin with world.py."""
