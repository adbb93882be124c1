// SPDX-License-Identifier: Apache-2.0
// SCTP for guests, as busybox has none: one association of one stream.
//   sctp_talk serve ADDRESS PORT NAME             answers every message with NAME and the message, for ever
//   sctp_talk ask FROM ADDRESS PORT COUNT BYTES   checks the answer to each of so many; prints who answers
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { kLargest = 60000 };

static void need(int good, const char* what) {
  if (good) return;
  perror(what);
  exit(1);
}

static struct sockaddr_storage read_address(const char* address, const char* port) {
  struct sockaddr_storage at = {0};
  struct sockaddr_in* v4 = (struct sockaddr_in*)&at;
  struct sockaddr_in6* v6 = (struct sockaddr_in6*)&at;
  const int is_v6 = strchr(address, ':') != NULL;
  at.ss_family = is_v6 ? AF_INET6 : AF_INET;
  v4->sin_port = htons((unsigned short)atoi(port));  // at the same place in both
  void* bytes = is_v6 ? (void*)&v6->sin6_addr : (void*)&v4->sin_addr;
  need(inet_pton(at.ss_family, address, bytes) == 1, "address");
  return at;
}

// Of one address, so that the other end is told of no second one.
static int open_at(const struct sockaddr_storage* at) {
  const int fd = socket(at->ss_family, SOCK_STREAM, IPPROTO_SCTP);
  need(fd >= 0, "socket");
  need(bind(fd, (const struct sockaddr*)at, sizeof *at) == 0, "bind");
  return fd;
}

static void connect_to(int fd, const struct sockaddr_storage* at) {
  const struct timeval patience = {.tv_sec = 10};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  need(connect(fd, (const struct sockaddr*)at, sizeof *at) == 0, "connect");
}

static void serve(int fd, const char* name) {
  static char message[kLargest];
  need(listen(fd, 10) == 0, "listen");
  for (;;) {
    const int peer = accept(fd, NULL, NULL);
    need(peer >= 0, "accept");
    const size_t head = strlen(name);
    memcpy(message, name, head);
    for (ssize_t got; (got = recv(peer, message + head, kLargest - head, 0)) > 0;)
      if (send(peer, message, head + (size_t)got, MSG_NOSIGNAL) < 0) break;
    close(peer);
  }
}

static void ask(int fd, int count, size_t bytes) {
  static char sent[kLargest], answer[kLargest];
  char name[64] = "";
  for (int i = 0; i < count; ++i) {
    memset(sent, 'a' + i % 26, bytes);
    need(send(fd, sent, bytes, MSG_NOSIGNAL) == (ssize_t)bytes, "send");
    // Messages are short enough to come in one piece.
    const ssize_t received = recv(fd, answer, sizeof answer, 0);
    need(received > 0, "recv");
    const size_t got = (size_t)received;
    need(got > bytes && got - bytes < sizeof name, "answer");
    need(memcmp(answer + got - bytes, sent, bytes) == 0, "contents");
    memcpy(name, answer, got - bytes);
  }
  printf("%s\n", name);
}

int main(int argc, char** argv) {
  const int serves = argc == 5 && strcmp(argv[1], "serve") == 0;
  if (!serves && !(argc == 7 && strcmp(argv[1], "ask") == 0)) {
    fprintf(stderr, "usage: sctp_talk serve ADDRESS PORT NAME | ask FROM ADDRESS PORT COUNT BYTES\n");
    return 2;
  }
  const struct sockaddr_storage here = read_address(argv[2], serves ? argv[3] : "0");
  const int fd = open_at(&here);
  if (serves) serve(fd, argv[4]);
  const struct sockaddr_storage there = read_address(argv[3], argv[4]);
  connect_to(fd, &there);
  ask(fd, atoi(argv[5]), (size_t)atoi(argv[6]));
  close(fd);
  return 0;
}
