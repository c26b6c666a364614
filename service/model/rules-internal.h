/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the rules share among themselves. */

#include "model/rules.h"

/* The object of a reference if it is of that class, else NULL. */
Node *reference_node(const Reference *r);
Port *reference_port(const Reference *r);
TcpEndpoint *reference_tcp(const Reference *r);
IpEndpoint *reference_ip(const Reference *r);
PortalGroup *reference_group(const Reference *r);

/* A text that people give to an object: no control characters, at most LIMIT_TEXT characters. */
int check_text(const char *what, const char *text, char **ret_why);

/* Whether one portal group has all of the TCP endpoints as members. */
bool collection_holds_all(TcpEndpoint *const *tcp, size_t n);
