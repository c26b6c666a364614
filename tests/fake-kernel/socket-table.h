/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The sockets that the kernel's target listens on, as it keeps and compares them (iscsit_check_np_match() and what bind() makes
 * of them). They are kept in the file `sockets`, a line each: "ADDRESS INTERFACE-INDEX TCP-PORT USES". */

#include <glib.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Endpoint {
        int family;
        struct in_addr in;
        struct in6_addr in6;
        unsigned index; /* of the interface, for link-local addresses */
        uint16_t port;
} Endpoint;

typedef struct Socket {
        Endpoint endpoint;
        unsigned uses;
} Socket;

/* Room for an endpoint as text: "fe80::1 2 3260". */
#define ENDPOINT_TEXT_MAX (INET6_ADDRSTRLEN + 24)

const char *endpoint_to_text(const Endpoint *e, char buf[static ENDPOINT_TEXT_MAX]);
bool endpoint_from_text(const char *text, Endpoint *ret);
bool endpoint_equal(const Endpoint *a, const Endpoint *b);

/* Whether the kernel, asked for A, takes the existing B for it: it compares neither families nor zones. */
bool endpoint_is_taken_for(const Endpoint *a, const Endpoint *b);

/* Whether bind() refuses A beside B. IPv6 sockets are dual-stack. */
bool endpoint_excludes(const Endpoint *a, const Endpoint *b);

/* Each reads, and those that change something write, the table of the kernel in the directory ROOT. */
GArray *sockets_read(const char *root); /* of Socket */
void sockets_write(const char *root, const GArray *sockets);

/* The sockets of other programs: `listeners`, a line each: "ADDRESS:PORT [PROGRAM]". */
GArray *listeners_read(const char *root); /* of Endpoint */
