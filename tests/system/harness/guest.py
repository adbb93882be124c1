# SPDX-License-Identifier: Apache-2.0
"""A Linux guest in qemu on a vhost-user port, driven over its serial console (guest/init)."""

import os
import select
import socket
import subprocess
import time

from .shell import Failure, Skip, expect, stop_process

QEMU = "/usr/bin/qemu-system-x86_64"


class Guest:
    """`device` is appended to the network devices' options: "csum=off,guest_tso4=off". `more`: (path, MAC) of eth1 and
    so on."""

    def __init__(self, image, path, mac, folder, name, listens=True, device="", queue_pairs=1, more=()):
        if not os.access(QEMU, os.X_OK):
            raise Skip(f"{QEMU} is not there (package qemu-system-x86)")
        if not os.path.exists(os.path.join(image, "initramfs.gz")):
            raise Skip(f"no guest image in {image} (tests/system/guest/build makes it)")
        self.name = name
        self.mac = mac
        self.log_path = os.path.join(folder, f"guest-{name}.log")
        self._log = open(self.log_path, "w")
        self._monitor_path = os.path.join(folder, f"guest-{name}.monitor")
        networks = []
        for number, (where, address) in enumerate([(path, mac), *more]):
            networks += [
                "-chardev", f"socket,id=c{number},path={where}" + (",server=on,wait=off" if listens else ",reconnect=1"),
                "-netdev", f"vhost-user,id=n{number},chardev=c{number},queues={queue_pairs}",
                # vectors=0: without KVM this qemu crashes over MSI-X when the driver starts.
                "-device", f"virtio-net-pci,netdev=n{number},mac={address},romfile=,vectors=0" + ("," + device if device else "")]
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", QEMU, "-accel", "tcg", "-cpu", "max", "-m", "192", "-display", "none",
             "-monitor", f"unix:{self._monitor_path},server=on,wait=off",
             "-serial", "stdio", "-no-reboot", "-nodefaults",
             "-object", "memory-backend-memfd,id=m,size=192M,share=on", "-numa", "node,memdev=m",
             *networks,
             "-kernel", os.path.join(image, "vmlinuz"), "-initrd", os.path.join(image, "initramfs.gz"),
             "-append", "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._text = ""
        self._last_id = 0

    def wait_until_booted(self, timeout=120):
        self._read_until("@@ready@@", timeout)
        return self

    def run(self, command, timeout=60, check=True):
        """Runs a shell line in the guest; its output."""
        self.begin(command)
        return self.finish(timeout, check)

    def begin(self, command):
        self._last_id += 1
        self._command = command
        self.process.stdin.write(f"{self._last_id} {command}\n".encode())
        self.process.stdin.flush()

    def finish(self, timeout=60, check=True):
        text, tail = self._read_until(f"@@{self._last_id} ", timeout)
        while "@@" not in tail:
            tail += self._read_chunk(5)
        code, self._text = tail.split("@@", 1)
        if check:
            expect(code == "0", f"in guest {self.name}: `{self._command}` ended with {code}\n{text}")
        return text.strip()

    def configure(self, addresses, mtu=None):
        if mtu:
            self.run(f"ip link set eth0 mtu {mtu}")
        self.run("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set eth0 up")
        for address in addresses:
            self.run(f"ip address add {address} dev eth0")

    def set_link(self, number, state):
        """Of eth0, eth1...: "on" or "off", as a cable that is plugged in or not."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as monitor:
            monitor.settimeout(10)
            monitor.connect(self._monitor_path)
            monitor.sendall(f"set_link n{number} {state}\n".encode())
            said = b""
            while said.count(b"(qemu)") < 2:
                said += monitor.recv(4096)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        stop_process(self.process)
        self.process.stdin.close()
        self.process.stdout.close()
        self._log.close()

    def _read_until(self, mark, timeout):
        end = time.monotonic() + timeout
        while mark not in self._text:
            self._text += self._read_chunk(end - time.monotonic())
        before, after = self._text.split(mark, 1)
        self._text = after
        return before, after

    def _read_chunk(self, timeout):
        if timeout <= 0 or not select.select([self.process.stdout], [], [], timeout)[0]:
            raise Failure(f"guest {self.name} does not answer:\n{self._text[-2000:]}")
        chunk = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace")
        if not chunk:
            raise Failure(f"guest {self.name} ended with {self.process.wait()}:\n{self._text[-2000:]}")
        self._log.write(chunk)
        self._log.flush()
        return chunk.replace("\r", "")
